// Notices the end of threads, by one key of the C library's (pthread_key_create), so that their
// tables can go to other threads.
#pragma once

namespace clockshim {

// From now on `ended` is called in each thread that ends after it has called watch_thread_end(). At
// start only. False: the C library has no cheap key left, or it is older than 2.34 and libpthread
// is not loaded; then a thread's table is only freed when the C library reuses its stack.
bool call_at_thread_end(void (*ended)()) noexcept;

// Marks the calling thread as having something to give back. Async-signal-safe; takes about 5 ns.
void watch_thread_end() noexcept;

}  // namespace clockshim

// Notice of a thread's end, by one key of the C library's: so that what a thread has goes to the
// next.
#pragma once

namespace clockshim {

// From now on `ended` is called in each thread that ends after it has called watch_thread_end(). At
// start only. False: the C library has no cheap place left to note it in; then what a thread has
// comes free when the C library reuses its stack.
bool call_at_thread_end(void (*ended)()) noexcept;

// The calling thread has something to give back. Async-signal-safe; takes about 5 ns.
void watch_thread_end() noexcept;

}  // namespace clockshim

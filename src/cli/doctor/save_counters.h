// `clockshim doctor --save`: compares the CPUs' counters, and saves what is found for all programs
// until the next boot (os/counters_file.h).
#pragma once

namespace clockshim::cli {

// Says on standard output what was done. Returns the exit status: 0: saved, or the kernel vouches
// for the counters, or there is one CPU only; 1: nothing is proved; 2: it can't be saved.
int save_counters_of_boot();

}  // namespace clockshim::cli

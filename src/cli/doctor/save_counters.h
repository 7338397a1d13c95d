// `clockshim doctor --save`: compares the CPUs' counters, and saves what is found for all programs
// until the next boot (os/counters_file.h).
#pragma once

#include "cli/machine/counter_evidence.h"

namespace clockshim::cli {

// Nobody waits for it, so passes are further apart than `run` can afford: 1 s instead of 100 ms
// shows a drift that is a tenth. And busy CPUs get more time: in a guest with more CPUs than its
// host, those of a pair run at the same time now and then only.
inline constexpr Comparison kSaveComparison{.patience = milliseconds(2000),
                                            .pause = milliseconds(1000)};

// Says on standard output what was done. Returns the exit status: 0: saved, or the kernel vouches
// for the counters, or there is one CPU only; 1: nothing is proved; 2: it can't be saved.
int save_counters_of_boot();

}  // namespace clockshim::cli

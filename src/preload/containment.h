// prctl() and syscall(), which take notice of a seccomp filter that the process puts on itself
// (os/containment.h).
#pragma once

namespace clockshim {

// Looks up what the two pass their calls on to. At start, once.
void find_real_containers() noexcept;

}  // namespace clockshim

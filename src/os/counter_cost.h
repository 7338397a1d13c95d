// Whether the counter is worth reading here.
#pragma once

namespace clockshim {

// Whether reading the counter costs more than the clock itself, because a hypervisor or the kernel
// traps it. The costs are measured in ticks of that counter, so no time base is needed. It takes
// some microseconds: at start only.
bool counter_expensive() noexcept;

}  // namespace clockshim

// How many CPUs this machine can have.
#pragma once

#include <string_view>

namespace clockshim {

// How many numbers are in a list of the kernel's, such as "0-3,8". 0 if it is none.
unsigned count_in_list(std::string_view list) noexcept;

// The number of CPUs that this machine can have, at least 1. It is what
// sysconf(_SC_NPROCESSORS_CONF) answers; that brings in five pages of the C library that few
// programs use, which is two thirds of its cost at the start of each process.
unsigned possible_cpus() noexcept;

}  // namespace clockshim

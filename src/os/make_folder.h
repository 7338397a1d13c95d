// Private folders.
#pragma once

namespace clockshim {

// Makes a folder that its owner may use and nobody else, regardless of the umask (with umask 0777,
// mkdir(2) makes one that not even its owner can enter). Returns 0, or an errno (EEXIST: something
// of that name exists, and is left as it is). Async-signal-safe. For a folder that exists it makes
// one system call.
int make_own_folder(const char* path) noexcept;

}  // namespace clockshim

// Folders of one's own.
#pragma once

namespace clockshim {

// Makes a folder that its owner may use and nobody else, whatever the umask takes away: with umask
// 0777, mkdir(2) makes one that not even its owner can enter. 0, or an errno (EEXIST: something of
// that name was there, and is left as it is). Async-signal-safe; what is there already costs one
// system call.
int make_own_folder(const char* path) noexcept;

}  // namespace clockshim

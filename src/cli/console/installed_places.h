// Where `meson install` puts what the command looks for. Both places are relative to the command's
// own folder, so that an installation can be moved as a whole, unless meson was told to put them
// outside its prefix; each ends in a slash.
#pragma once

#include <string>

namespace clockshim::cli {

extern const char* const kInstalledLibraryFolder;
extern const char* const kInstalledPagesFolder;

// A page of docs/ as a reader can open it: the installed one, if it is where the command that
// stands at `executable` was installed with it; else its path in the source tree.
std::string page_path(const std::string& executable, const std::string& page);

}  // namespace clockshim::cli

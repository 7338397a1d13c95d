// A temporary folder that only this user can look into.
#pragma once

#include <string>

namespace clockshim::cli {

class PrivateFolder {
 public:
  // Makes TMPDIR/clockshim-PURPOSE-XXXXXX, or the same in /tmp. Without one path() is "".
  explicit PrivateFolder(const std::string& purpose);
  // Removes it and what is in it.
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }  // absolute
  [[nodiscard]] bool made() const { return !path_.empty(); }
  void keep(bool keep) { keep_ = keep; }  // whether it stays when this object goes

 private:
  std::string path_;
  bool keep_ = false;
};

}  // namespace clockshim::cli

// A temporary folder that only this user can access.
#pragma once

#include <string>

namespace clockshim::cli {

class PrivateFolder {
 public:
  // Creates TMPDIR/clockshim-PURPOSE-XXXXXX, or the same in /tmp. path() is "" if that fails.
  explicit PrivateFolder(const std::string& purpose);
  // Removes the folder and its content.
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }  // absolute
  [[nodiscard]] bool made() const { return !path_.empty(); }
  void keep(bool keep) {
    keep_ = keep;
  }  // whether the folder remains when this object is destroyed

 private:
  std::string path_;
  bool keep_ = false;
};

}  // namespace clockshim::cli

// The part of protobuf's wire format that writing a profile needs:
// https://protobuf.dev/programming-guides/encoding/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clockshim {

// A message that is being written. Like proto3, it leaves out zeros and empty strings, but never
// messages.
class ProtoMessage {
 public:
  void number(unsigned field, std::uint64_t value) {
    if (value == 0) return;
    varint(field << 3U | kVarint);
    varint(value);
  }
  void text(unsigned field, std::string_view value) {
    varint(field << 3U | kLength);
    varint(value.size());
    bytes_ += value;
  }
  void message(unsigned field, const ProtoMessage& value) { text(field, value.bytes_); }
  void packed(unsigned field, const std::vector<std::uint64_t>& values) {
    ProtoMessage all;
    for (const std::uint64_t value : values) all.varint(value);
    message(field, all);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  static constexpr unsigned kVarint = 0;
  static constexpr unsigned kLength = 2;

  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80U);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace clockshim

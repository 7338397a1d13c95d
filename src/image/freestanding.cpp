// What compilers call without being asked. The image has no C library to take it from.
#include <cstddef>

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) noexcept {
  void* const result = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return result;
}

void* memset(void* to, int value, std::size_t size) noexcept {
  void* const result = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return result;
}

void* memmove(void* to, const void* from, std::size_t size) noexcept {
  auto* out = static_cast<unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  if (out <= in) return memcpy(to, from, size);
  while (size-- != 0) out[size] = in[size];
  return to;
}

int memcmp(const void* one, const void* other, std::size_t size) noexcept {
  const auto* a = static_cast<const unsigned char*>(one);
  const auto* b = static_cast<const unsigned char*>(other);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

int strncmp(const char* one, const char* other, std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; ++i) {
    const int difference =
        static_cast<unsigned char>(one[i]) - static_cast<unsigned char>(other[i]);
    if (difference != 0 || one[i] == 0) return difference;
  }
  return 0;
}

char* strncpy(char* to, const char* from, std::size_t size) noexcept {
  std::size_t i = 0;
  for (; i < size && from[i] != 0; ++i) to[i] = from[i];
  for (; i < size; ++i) to[i] = 0;
  return to;
}
}

/* A module that looks to clockshim as CPython 3.13 does: its exported symbols, and objects laid out
 * as CPython's, that the test bends as it likes. Nothing of Python is in it. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef unsigned char Bytes[512];

static void put8(unsigned char* object, unsigned at, uint64_t value) {
  memcpy(object + at, &value, 8);
}
static void put4(unsigned char* object, unsigned at, uint32_t value) {
  memcpy(object + at, &value, 4);
}
static uint64_t at(const void* object) { return (uintptr_t)object; }

/* Types: themselves of type PyType_Type, with tp_basicsize at 32. */
Bytes PyType_Type, PyCode_Type, PyUnicode_Type, PyFrame_Type, _PyRuntime;
#ifndef MADE_UP_OLD /* before 3.11, there is none */
unsigned long Py_Version = 0x030D00F0;
#else
static unsigned long Py_Version;
#endif

static Bytes state, interpreter, frame, shim, code, qualname, filename;
static void* own = state;
static void* running = state;
static uint64_t id = 7;

void* PyGILState_GetThisThreadState(void) { return own; }
void* PyThreadState_GetUnchecked(void) { return running; }
void* PyThreadState_GetInterpreter(void* s) { return *(void**)((char*)s + 16); }
uint64_t PyThreadState_GetID(void* s) { return s == state ? id : 0; }

int64_t PyTime_Time(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

__attribute__((noinline)) int64_t asks_in_c(long times) {
  int64_t sum = 0;
  for (long i = 0; i < times; ++i) sum += PyTime_Time();
  return sum;
}

/* A str that Python has not hashed: `kind` bytes a character, "ascii" where kind is 0. */
static void make_string(unsigned char* string, unsigned kind, const void* characters,
                        uint64_t length) {
  put8(string, 8, at(PyUnicode_Type));
  put8(string, 16, length);
  put8(string, 24, ~0ULL);
  put4(string, 32, (kind == 0 ? 1U : kind) << 2 | 1U << 5 | (kind == 0 ? 1U << 6 : 0));
  memcpy(string + (kind == 0 ? 40 : 56), characters, length * (kind == 0 ? 1 : kind));
}
static void name_it(const char* name, const char* file) {
  make_string(qualname, 0, name, strlen(name));
  make_string(filename, 0, file, strlen(file));
}

static void make_all(void) {
  const struct {
    unsigned char* type;
    uint64_t size;
  } types[] = {{PyCode_Type, 200}, {PyUnicode_Type, 64}, {PyFrame_Type, 136}};
  for (unsigned i = 0; i < 3; ++i) {
    put8(types[i].type, 8, at(PyType_Type));
    put8(types[i].type, 32, types[i].size);
  }
  memcpy(_PyRuntime, "xdebugpy", 8);
  put8(_PyRuntime, 8, 0x030D00F0);
  const unsigned says[][2] = {{184, 72},  {232, 8},   {240, 0}, {264, 70},
                              {280, 112}, {296, 128}, {312, 68}};
  for (unsigned i = 0; i < 7; ++i) put8(_PyRuntime, says[i][0], says[i][1]);
  put8(state, 16, at(interpreter));
  put8(state, 224, id);
  put8(state, 72, at(frame));
  put8(frame, 0, at(code));
  put8(shim, 8, at(frame));
  shim[70] = 3;
  put8(code, 8, at(PyCode_Type));
  put8(code, 112, at(filename));
  put8(code, 128, at(qualname));
  put4(code, 68, 12);
  name_it("plain", "/srv/app.py");
}

static void long_names(void) {
  uint32_t characters[110];
  for (unsigned i = 0; i < 110; ++i) characters[i] = 0x10330 + i % 16;
  characters[109] = 'z';
  make_string(qualname, 4, characters, 110);
  char path[260];
  memset(path, 'd', sizeof path);
  memcpy(path + sizeof path - 7, "/end.py", 7);
  make_string(filename, 0, path, sizeof path);
  asks_in_c(10);
}

/* What is at a place in the object while one function asks: nothing that may be followed. */
static void ask_with(unsigned char* object, unsigned where, uint64_t value) {
  uint64_t before;
  memcpy(&before, object + where, 8);
  put8(object, where, value);
  asks_in_c(10);
  put8(object, where, before);
}
static void wild(void) {
  asks_in_c(10);
  const uint64_t nowhere[] = {
      0, 8, 0x5, at(code) | 4, 0x8000000000000000ULL, 0x7fffffffffffff00ULL, ~7ULL};
  for (unsigned i = 0; i < sizeof nowhere / sizeof *nowhere; ++i) {
    ask_with(state, 72, nowhere[i]);
    ask_with(frame, 0, nowhere[i]);
  }
  static Bytes other, other_code; /* which nobody has read before */
  ask_with(frame, 0, at(other));
  memcpy(other_code, code, sizeof code);
  put8(frame, 0, at(other_code));
  ask_with(other_code, 8, at(PyType_Type));
  for (unsigned i = 0; i < sizeof nowhere / sizeof *nowhere; ++i) {
    ask_with(other_code, 112, nowhere[i]);
    ask_with(other_code, 128, nowhere[i]);
  }
  ask_with(other_code, 128, at(other));
  memcpy(other, qualname, sizeof qualname);
  put8(other_code, 128, at(other));
  ask_with(other, 16, 1ULL << 40);
  ask_with(other, 32, 1U << 2 | 1U << 6);           /* not compact */
  ask_with(other, 32, 3U << 2 | 1U << 5);           /* of three bytes a character */
  ask_with(other, 32, 2U << 2 | 1U << 5 | 1U << 6); /* ASCII of two */
  put8(frame, 0, at(code));
  put8(shim, 8, at(shim)); /* for ever */
  ask_with(state, 72, at(shim));
}

/* Other functions, with their names in the same places. Python may have hashed them, or not yet. */
static void used_again(void) {
  char text[32];
  for (unsigned i = 0; i < 20; ++i) {
    snprintf(text, sizeof text, "function_%02u", i % 10);
    name_it(text, i < 10 ? "one.py" : "two.py");
    if (i % 3 == 0) put8(qualname, 24, 1000 + i % 10);
    asks_in_c(5);
  }
}

/* Does what it is told to, and says how often it has asked. */
long play(const char* scene) {
  make_all();
  if (strcmp(scene, "plain") == 0) asks_in_c(1000);
  if (strcmp(scene, "shims") == 0) put8(state, 72, at(shim)), asks_in_c(1000);
  if (strcmp(scene, "tagged") == 0) put8(frame, 0, at(code) | 1), asks_in_c(1000);
  if (strcmp(scene, "unlocked") == 0) asks_in_c(100), running = NULL, asks_in_c(900);
  if (strcmp(scene, "another") == 0) asks_in_c(100), running = interpreter, asks_in_c(900);
  if (strcmp(scene, "stateless") == 0) asks_in_c(100), own = running = NULL, asks_in_c(900);
  if (strcmp(scene, "unknown_version") == 0) Py_Version = 0x030F01F0, asks_in_c(1000);
  if (strcmp(scene, "candidate") == 0) Py_Version = 0x030D00C2, asks_in_c(1000);
  if (strcmp(scene, "another_size") == 0) put8(PyCode_Type, 32, 208), asks_in_c(1000);
  if (strcmp(scene, "free_threaded") == 0) put8(_PyRuntime, 16, 1), asks_in_c(1000);
  if (strcmp(scene, "moved") == 0) put8(_PyRuntime, 184, 80), asks_in_c(1000);
  if (strcmp(scene, "another_id") == 0) id = 8, asks_in_c(1000);
  if (strcmp(scene, "long_names") == 0) return long_names(), 10;
  if (strcmp(scene, "wild") == 0) return wild(), 10 * (1 + 14 + 1 + 1 + 14 + 1 + 4 + 1);
  if (strcmp(scene, "used_again") == 0) return used_again(), 100;
  return 1000;
}

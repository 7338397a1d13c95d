// What most tests include, compiled once for each program of tests: GoogleTest and the JSON reader
// are most of what a test's compilation costs. Sources include what they use all the same.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

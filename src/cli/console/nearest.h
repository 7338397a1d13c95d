// The right word that is nearest to a wrong one. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clockshim::cli {

// How many characters have to be inserted, removed, replaced or swapped with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b);

// " (did you mean \"strict\"?)": the word that differs from `wrong` least, if that is in no more
// than a third of its characters. Else "".
std::string did_you_mean(std::string_view wrong, const std::vector<std::string>& right);

}  // namespace clockshim::cli

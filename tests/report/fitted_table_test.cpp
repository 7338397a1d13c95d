// Why: a table that is wider than the terminal is broken in the middle of its figures, and a
// narrower one cuts names that had room.
#include "report/fitted_table.h"

#include <gtest/gtest.h>

namespace clockshim {
namespace {

using Side = TableColumn::Side;

FittedTable animals() {
  FittedTable table({{"name"}, {"legs", Side::right}, {"says"}, {"eats"}});
  table.add_row({"cat", "4", "meow", "mice"});
  table.add_row({"caf\xC3\xA9 spider", "8", "", "flies and much else"});
  return table;
}

TEST(FittedTable, ColumnsAreAsWideAsTheirContent) {
  EXPECT_EQ(animals().text(1, 0),
            "name         legs  says  eats\n"
            "cat             4  meow  mice\n"
            "caf\xC3\xA9 spider     8        flies and much else\n");
  EXPECT_EQ(animals().width(0), 11U) << "in characters";
  EXPECT_EQ(animals().width_before(2), 11U + 2 + 4 + 2);
}

TEST(FittedTable, WhatDoesNotFitStandsInFurtherTables) {
  EXPECT_EQ(animals().text(1, 30),
            "name         legs  says\n"
            "cat             4  meow\n"
            "caf\xC3\xA9 spider     8\n"
            "\n"
            "name         eats\n"
            "cat          mice\n"
            "caf\xC3\xA9 spider  flies and much else\n");
  EXPECT_EQ(animals().text(1, 44), animals().text(1, 0)) << "it just fits";
  EXPECT_EQ(animals().text(1, 1).find("\n\n"), animals().text(1, 18).find("\n\n"))
      << "one column each, however narrow";
}

TEST(FittedTable, CellsAreCutWhereAColumnIsMadeNarrow) {
  FittedTable table = animals();
  table.narrow(3, 7);
  EXPECT_EQ(table.row(1, 4), "caf\xC3\xA9 spider     8        fli..se\n");
  table.narrow(1, 0);
  EXPECT_EQ(table.width(1), 4U) << "as wide as its heading";
  EXPECT_EQ(table.headings(2), "name         legs\n");
}

}  // namespace
}  // namespace clockshim

// What a report says where callers have no names because a Java virtual machine has generated their
// code.
#pragma once

#include "report/report.h"

namespace clockshim {

// Adds the note, or takes it out where the callers have got their names since.
void note_nameless_java(Report& report);

}  // namespace clockshim

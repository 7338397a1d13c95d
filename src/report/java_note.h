// The note in a report whose callers have no names, because a Java virtual machine has generated
// their code.
#pragma once

#include "report/report.h"

namespace clockshim {

// Adds the note, or removes it if the callers have names by now.
void note_nameless_java(Report& report);

}  // namespace clockshim

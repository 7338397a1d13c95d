// The slow side of Timeline, for whoever instantiates it: served_clock.cpp for the kernel's clocks,
// tests for the time sources that they make up. Everybody else includes clock/timeline.h and links.
#pragma once

#include "clock/timeline_mode.h"
#include "clock/timeline_publish.h"
#include "clock/timeline_sample.h"
#include "clock/timeline_slow.h"

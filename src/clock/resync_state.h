// What the slow path of a timeline keeps from one call to the next. Resync (clock/resync.h) uses
// it. Valid when all zero.
#pragma once

#include <atomic>

#include "base/clock_id.h"
#include "base/nanos.h"
#include "clock/chain_history.h"
#include "clock/chain_id.h"
#include "clock/figures.h"
#include "clock/timeline_settings.h"

namespace clockshim {

struct ResyncState {
  // Call it before anything is served.
  void start(const TimelineSettings& settings, live::ClockRecord& record) noexcept {
    tolerance = settings.tolerance;
    granularity = settings.granularity;
    coarse_tick = settings.coarse_tick;
    figures.start(record, settings.tolerance);
  }

  // The settings of these names. They do not change once something is served.
  Nanos tolerance{};
  Nanos granularity{};
  Nanos coarse_tick{};

  // The clocks that can't keep the tolerance, as too many samples in a row have shown. They are
  // given up for good.
  std::atomic<bool> given_up[kClockIds]{};
  ClockFigures figures;
  ChainHistories histories;
};

}  // namespace clockshim

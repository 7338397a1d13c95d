// The publication protocol of src/clock/ for one clock, where the counters agree: what may happen between any two accesses
// to shared memory. README.md says what is assumed, what is left out, and what each assertion stands for.
//
// A step is one load, one store or one locked instruction of the C++, with what the thread then does to variables of its
// own. Each BREAK_* takes one guard away; run.py expects an error then.

#define WRITERS 2  // threads in resync(), which share all slots
#ifndef READERS
#define READERS 1  // threads in read(), once each
#endif
#ifndef TURNS
#define TURNS 4  // of the first writer, in one or more calls
#endif
#ifndef OTHER_TURNS
#define OTHER_TURNS 1  // of the second
#endif
#ifndef SLOTS
#define SLOTS 4
#endif
#ifndef CLOSINGS
#define CLOSINGS 1  // by disturbances, beside those of segments that are over
#endif
#ifndef LATEST
#define LATEST 4  // the counter's last value
#endif

#ifndef LENGTH
#define LENGTH 2  // of a segment, in ticks
#endif
#define FIRST_GATE 1  // and the age from which a successor is due; a look moves the gate to the end

// A word: how often the slot has been used, and the slot. A version: a word, and a mark once the segment is closed.
#define SLOT(word) ((word) % SLOTS)
#define MARK 128
#ifdef BREAK_WRITING
#define WRITING 0
#else
#define WRITING MARK  // not 0, which a reader that has found nothing published looks for in slot 0
#endif

byte current, head, counter;
byte version[SLOTS], gate[SLOTS], start[SLOTS], base[SLOTS];
byte uses[SLOTS];  // of who has claimed the slot
bit claimed[SLOTS];
byte closings;

// What only the assertions know.
byte its_word[SLOTS], its_start[SLOTS], its_base[SLOTS];  // the segment as its writer means it
byte its_last_gate[SLOTS];  // its length, or where its gate stood when it was closed
byte returned;                  // the latest value that any call has returned
bit moved[WRITERS];             // something has changed since the writer's turn began

#define max(a, b) ((a) > (b) -> (a) : (b))

inline read_counter(t) {
  if
  :: counter < LATEST -> counter++
  :: true
  fi;
  t = counter
}

inline changed() {
  moved[0] = 1;
  moved[1] = 1
}

inline answer(v) {
  assert(v >= least);  // BACKWARDS: least is what had been returned when this call began
  returned = max(returned, v);
  least = 0
}

inline whole(word) { assert(its_word[SLOT(word)] == word && its_start[SLOT(word)] == from && its_base[SLOT(word)] == value) }  // TORN

inline serve_value(word) {
  whole(word);
  assert(now >= from && now - from < its_last_gate[SLOT(word)]);  // GATE
  answer(value + now - from)
}

// The first loads of Slot::get(). A closed version vouches for a gate that was read after it.
inline get_fields(word) {
  from = start[SLOT(word)];
  value = base[SLOT(word)];
#ifdef BREAK_GET_ORDER
  g = gate[SLOT(word)];
  seen = version[SLOT(word)];
#else
  seen = version[SLOT(word)];
  g = gate[SLOT(word)];
#endif
}

// Its last load: the slot has not been used again.
inline get_is_same(word) {
  ok = ((seen & ~MARK) == word && (version[SLOT(word)] & ~MARK) == word);
  closed = seen >> 7;
  seen = 0;
  if :: ok -> whole(word); assert(g <= its_last_gate[SLOT(word)]) :: else fi  // GATE
}

inline close(word) {
  if
  :: version[SLOT(word)] == word ->
    version[SLOT(word)] = word | MARK;
    its_last_gate[SLOT(word)] = gate[SLOT(word)];
    changed()
  :: else
  fi
}

inline advance_current(from_word, to_word) {
  if
#ifdef BREAK_CURRENT
  :: true -> current = to_word; changed()
#else
  :: current == from_word -> current = to_word; changed()
  :: else
#endif
  fi
}

inline exchange_head(from_word, to_word) {
  if
#ifdef BREAK_HEAD
  :: true -> head = to_word; won = 1; changed()
#else
  :: head == from_word -> head = to_word; won = 1; changed()
  :: else
#endif
  fi
}

// SegmentStore::publish() of a segment from new_start at new_base, in the place of hd: `won`, or `no_slot`, or lost.
inline publish() {
  slot = 0;
  do
  :: atomic {
      // Taken: on to the next one, at once, because nothing but the claim has been looked at.
      do
#ifndef BREAK_CLAIM
      :: slot < SLOTS && claimed[slot] -> slot++
#endif
      :: else -> break
      od;
      if
      :: slot == SLOTS -> no_slot = 1; slot = 0; word = 0; break
      :: else -> claimed[slot] = 1
      fi;
      word = version[slot] & ~MARK
    }
    atomic { named = (word != 0 && head == word) }
    atomic {
      named = (named || (word != 0 && current == word));
#ifdef BREAK_NAMED
      named = 0;
#endif
      if
      :: !named -> break
      :: else -> claimed[slot] = 0; slot++; named = 0
      fi
    }
  od;
  if
  :: no_slot
  :: else ->
    d_step {
      // NAMED: what is written is not the head, nor what the fast path is served from.
      assert(word == 0 || (head != word && (current != word || version[slot] != word)));
#ifdef BREAK_USES
      uses[slot] = 1;
#else
      uses[slot]++;
#endif
      word = uses[slot] * SLOTS + slot;
      its_word[slot] = word;
      its_start[slot] = new_start;
      its_base[slot] = new_base;
      its_last_gate[slot] = LENGTH;
#ifndef BREAK_ORDER
      version[slot] = WRITING
#endif
    }
    gate[slot] = FIRST_GATE;
    start[slot] = new_start;
    base[slot] = new_base;
    version[slot] = word;
    d_step { exchange_head(hd, word); new_start = 0; new_base = 0 }
    d_step { claimed[slot] = 0; slot = 0 }
  fi
}

// SegmentStore::read_segment()
proctype Reader() {
  byte least, now, word, from, g, value;
  // The word is from a copy that a slow call has made of current, and may be any that current has been: as if it had been loaded long
  // before the call.
  if
  :: word = current; atomic { least = returned; read_counter(now) }
  :: atomic { least = returned; read_counter(now) }; word = current
  fi;
  from = start[SLOT(word)];
  g = gate[SLOT(word)];
  value = base[SLOT(word)];
  d_step {
    if
#ifdef BREAK_VERSION
    :: now >= from && now - from < g -> serve_value(word)
#else
    :: now >= from && now - from < g && version[SLOT(word)] == word -> serve_value(word)
#endif
    :: else  // it would go on as a writer
    fi;
    least = 0; now = 0; word = 0; from = 0; g = 0; value = 0
  }
}

// Timeline::resync()
proctype Writer(byte me) {
  byte turns, least, now, cur, hd, w, from, value, g, seen, new_start, new_base, lowest, slot, word, joint;
  bit in_call, ok, closed, named, won, no_slot, beyond;
  turns = (me == 0 -> TURNS : OTHER_TURNS);

next_turn:
  atomic {
    now = 0; cur = 0; hd = 0; w = 0; from = 0; value = 0; g = 0; closed = 0; ok = 0; won = 0; no_slot = 0;
    new_start = 0; new_base = 0; lowest = 0; word = 0; joint = 0; beyond = 0;
    if :: turns == 0 -> goto over :: else -> turns-- fi;
    if :: !in_call -> in_call = 1; least = returned :: else fi;
    moved[me] = 0;
    read_counter(now)
  }
  // try_serve()
  cur = current;
  atomic { hd = head; if :: hd == 0 -> goto begin :: else fi }
  get_fields(hd);
  atomic {
    get_is_same(hd);
    w = hd;
    joint = from;
    beyond = (now >= joint && now - joint >= LENGTH);
    if
    :: !ok -> goto again
    :: ok && hd == cur && closed -> goto begin
    :: ok && hd == cur && !closed -> goto serve
    :: ok && hd != cur && (cur == 0 || (now >= joint && !beyond)) -> goto advance
    :: else -> w = cur
    fi
  }
  get_fields(cur);
  atomic {
    get_is_same(cur);
    if
    :: !ok -> goto again
    :: ok && !closed && !beyond -> goto serve
    :: ok && closed && !beyond && from + LENGTH != joint -> goto advance
    :: else
    fi
  }
  if :: beyond -> atomic { close(cur) } :: else fi;
  atomic { close(hd) }
#ifndef BREAK_FLOOR
  // Who moved current on meanwhile may have served from the head that is closed now.
  atomic { if :: current != cur -> goto again :: else fi }
#endif
  get_fields(cur);
  atomic {
    get_is_same(cur);
    if
    :: !ok -> goto again
    :: ok && closed -> goto begin
    :: else -> goto serve
    fi
  }

advance:
  atomic { advance_current(cur, hd); goto again }

serve:
  atomic {
    if
    :: closings < CLOSINGS -> closings++; goto disturbed  // by this call, or by clocks_were_set()
    :: now < from -> assert(counter >= from); goto again  // no counter is taken to have gone backwards
    :: now >= from && now - from >= LENGTH -> close(w); goto again
    :: now >= from && now - from < g -> answer(value + now - from); in_call = 0; goto next_turn
    :: now >= from && now - from >= g && now - from < LENGTH  // the gate is shut
    fi;
    if
    :: w == hd -> read_counter(new_start); if :: new_start - from < LENGTH -> goto refresh :: else fi
    :: true  // not due, or another thread is at it
    fi;
    goto looked
  }

disturbed:
  atomic { close(w); goto again }

refresh:
  atomic { new_start = from + LENGTH; new_base = value + LENGTH };
  publish();

looked:  // advance_gate()
  atomic {
    if
#ifdef BREAK_GATE
    :: gate[SLOT(w)] == g ->
#else
#ifdef BREAK_FREEZE
    :: gate[SLOT(w)] == g && (version[SLOT(w)] & ~MARK) == w ->
#else
    :: gate[SLOT(w)] == g && version[SLOT(w)] == w ->
#endif
#endif
      gate[SLOT(w)] = LENGTH;
      changed();
      serve_value(w);
      in_call = 0;
      goto next_turn
    :: else -> goto again
    fi
  }

begin:
  // The real time is the counter's. What a sample makes of it is right, or late by one.
  atomic {
    read_counter(new_start);
    lowest = (hd != 0 -> max(new_start, value + g) : new_start);
    if
    :: new_base = max(lowest, new_start + 1)
    :: new_base = lowest
    fi
  }
  publish();
  if
  :: no_slot -> atomic { answer(lowest); in_call = 0; goto next_turn }
  :: won -> atomic { advance_current(cur, word) }
  :: else
  fi;

again:
  atomic {
    assert(moved[me]);  // STUCK: a turn is lost only where somebody has got on
    goto next_turn
  }

over:
  skip
}

init {
  byte n;
#ifndef FRESH
  d_step {
    // The first writer has published a segment, whose estimate was late by one.
    uses[0] = 1; version[0] = SLOTS; gate[0] = FIRST_GATE; base[0] = 1;
    its_word[0] = SLOTS; its_base[0] = 1; its_last_gate[0] = LENGTH;
    head = SLOTS; current = SLOTS
  }
#endif
  atomic {
    n = 0;
    do :: n < WRITERS -> run Writer(n); n++ :: else -> break od;
    n = 0;
    do :: n < READERS -> run Reader(); n++ :: else -> break od;
    n = 0
  }
}

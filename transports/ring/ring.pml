/* Copyright 2026 The nearcall Authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * One ring and its sleepers, as ring.h has it: records and pads published by one index, room given back by the other,
 * a producer and a consumer who each sleep on a word of their own, orderly closing by either side, and the producer's
 * death at any instant. Memory is sequentially consistent, as SharedWord's operations are.
 *
 * Checked: nobody sleeps for ever (no invalid end state); the consumer reads every record that was published, in order,
 * each as it was written, before it sees the end; nothing is overwritten before it was given back.
 *
 *   spin -a ring.pml && gcc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * Mutations that must fail: -DNO_RECHECK (a sleeper does not look again after it armed), -DHEAD_FIRST (the index is
 * published before the record), -DWAKE_FIRST (the sleeper is woken before the index is published), -DBLIND_CLEAR (the
 * sleeper's word is cleared although it may say something newer).
 */

#define SLOTS 4    /* of the ring; a record takes 1 or 2 of them */
#define RECORDS 3  /* sent in all, of sizes 2, 1, 2: the last needs a pad */
#define PAD 9

#define AWAKE 0
#define POLLS 1
#define FUTEX 2

byte slot[SLOTS];     /* a record's number, in its first slot; PAD; or what was there before */
byte head, tail;      /* published, given back: slots, ever */
byte consumer_sleeps, producer_sleeps;
bool consumer_bell, producer_bell;       /* a byte on the socket: stays until it is taken */
bool consumer_futex;                     /* asleep in the kernel on the word; a producer only polls */
bool unused;                             /* take_sleeper's for the producer */
bool producer_closed, consumer_closed;   /* words in the memory */
bool producer_dead;                      /* seen as the end of the socket, or through the pidfd */
byte sent, read;                         /* ghosts: records published, read */

#define SIZE(n) ((n) == 1 -> 1 : 2)

/* Wakes whoever sleeps on `word`: a futex sleeper only if it is in the kernel by now, a poller in any case. */
inline take_sleeper(word, bell, sleeping) {
  how = word;
  if
  :: how == AWAKE
  :: else ->
#ifdef BLIND_CLEAR
    word = AWAKE;
    if
    :: how == FUTEX -> sleeping = false
    :: else -> bell = true
    fi
#else
    atomic {
      if
      :: word == how -> word = AWAKE
      :: else -> how = AWAKE
      fi
    }
    if
    :: how == FUTEX -> sleeping = false
    :: how == POLLS -> bell = true
    :: else
    fi
#endif
  fi
}

active proctype Producer() {
  byte n = 0, committed = 0, seen_tail = 0, pad, at, how;

  /* SIGKILL at any instant: it takes no further step. */
  {
  do
  :: n < RECORDS && !consumer_closed ->
    at = committed % SLOTS;
    pad = (at + SIZE(n) > SLOTS -> SLOTS - at : 0);
    do
    :: committed - seen_tail + pad + SIZE(n) <= SLOTS -> break
    :: else ->
      seen_tail = tail;
      assert(seen_tail <= head);
      if
      :: committed - seen_tail + pad + SIZE(n) <= SLOTS -> break
      :: else
      fi;
      /* Arm. A sender polls; it never sleeps in a futex. */
      producer_sleeps = POLLS;
#ifndef NO_RECHECK
      seen_tail = tail;
      if
      :: committed - seen_tail + pad + SIZE(n) <= SLOTS || consumer_closed -> producer_sleeps = AWAKE
      :: else ->
#endif
        (producer_bell || consumer_closed); /* the close shuts the socket down: that is seen by polling */
        producer_sleeps = AWAKE;
        producer_bell = false;
#ifndef NO_RECHECK
      fi;
#endif
      if
      :: consumer_closed -> goto over
      :: else
      fi
    od;

#ifdef WAKE_FIRST
    take_sleeper(consumer_sleeps, consumer_bell, consumer_futex);
#endif
#ifdef HEAD_FIRST
    head = committed + pad + SIZE(n);
#endif
    if
    :: pad > 0 -> slot[at] = PAD; at = 0
    :: else
    fi;
    slot[at] = n;
    committed = committed + pad + SIZE(n);
    /* Flush: one index for the record and its pad. */
    d_step { head = committed; sent = n + 1 }
#ifndef WAKE_FIRST
    take_sleeper(consumer_sleeps, consumer_bell, consumer_futex);
#endif
    n++
  :: else -> break
  od;

  /* It may close at once, or after an answer to what it sent: then only the frames themselves wake the consumer. */
  if
  :: true
  :: true -> (read == sent || consumer_closed)
  fi;
over:
  producer_closed = true;
  take_sleeper(consumer_sleeps, consumer_bell, consumer_futex);
  consumer_bell = true  /* the socket's end */
  } unless { producer_dead }
}

/* The kernel tells who polls, by socket and pidfd; whoever watches the pidfd for a futex sleeper wakes it (PeerDied()). */
active proctype Death() {
  if
  :: true ->
    producer_dead = true;
    consumer_bell = true;
    consumer_sleeps = AWAKE;
    consumer_futex = false
  :: true  /* it lives */
  fi
}

active proctype Consumer() {
  byte n = 0, my_tail = 0, my_head = 0, returned = 0, how, kind, mode;
  bool over;

  do
  :: /* Borrow. The end is looked for before the frames. */
    over = false;
    if
    :: my_tail == my_head ->
      over = producer_closed || producer_dead;
      my_head = head;
      assert(my_head - my_tail <= SLOTS)
    :: else
    fi;
    if
    :: my_tail != my_head ->
      kind = slot[my_tail % SLOTS];
      if
      :: kind == PAD ->
        my_tail = my_tail + SLOTS - my_tail % SLOTS;
        assert(my_tail < my_head) /* its frame came with it */
      :: else ->
        assert(kind == n);        /* whole, in order, once */
        my_tail = my_tail + SIZE(n);
        n++;
        read = n
      fi
    :: else ->
      if
      :: over -> assert(n == sent); break
      :: else
      fi;
      /* Nothing is left to read: tell the producer of the room. */
      if
      :: returned != my_tail ->
        returned = my_tail;
        tail = my_tail;
        take_sleeper(producer_sleeps, producer_bell, unused)
      :: else
      fi;
      if
      :: mode = POLLS
      :: mode = FUTEX
      fi;
      consumer_sleeps = mode;
#ifndef NO_RECHECK
      if
      :: head != my_tail || producer_closed || producer_dead -> consumer_sleeps = AWAKE
      :: else ->
#endif
        if
        :: mode == POLLS -> (consumer_bell)
        :: mode == FUTEX ->
          /* The kernel looks at the word and falls asleep in one step. */
          atomic {
            if
            :: consumer_sleeps == FUTEX -> consumer_futex = true
            :: else
            fi
          };
          (!consumer_futex)
        fi;
        consumer_sleeps = AWAKE;
        if
        :: !producer_closed && !producer_dead -> consumer_bell = false
        :: else
        fi
#ifndef NO_RECHECK
      fi
#endif
    fi
  :: n > 0 -> /* closes with frames unread, perhaps */
    consumer_closed = true;
    take_sleeper(producer_sleeps, producer_bell, unused);
    break
  od
}

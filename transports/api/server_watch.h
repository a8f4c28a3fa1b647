// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ServerWatch: tells whoever waits for a server at an address when it is worth connecting again, so that nobody polls.
//
//   if (watch->Arm()) {                          // before the last try: what comes from here on is told
//     ... Connect(); nobody there: sleep until watch->fd() is readable ...
//     if (watch->Came()) ... Connect() again ...
//   }
//
// Thread safety: none; one thread at a time. Lifetime: its descriptor is its own. Errors: Arm() says false when this
// can't be watched (an unreadable directory, no inotify instance left): then try again after a while instead.
#ifndef NEARCALL_TRANSPORTS_API_SERVER_WATCH_H_
#define NEARCALL_TRANSPORTS_API_SERVER_WATCH_H_

namespace nearcall {

class ServerWatch {
 public:
  virtual ~ServerWatch() = default;
  virtual int fd() const = 0;  // readable: ask Came()
  virtual bool Arm() = 0;      // from now on the coming of a server is told; may be called again
  virtual bool Came() = 0;     // takes off what was told; whether a Connect() may now find somebody. Then Arm() again
};

}  // namespace nearcall
#endif  // NEARCALL_TRANSPORTS_API_SERVER_WATCH_H_

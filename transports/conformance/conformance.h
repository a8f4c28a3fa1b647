// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite: what every transport must do, run from nothing but a transport and an address.
//
//   ConformanceSubject Mine() {                       // in a test of your own, linked with :conformance and gtest_main
//     ConformanceSubject mine;
//     mine.transport = [] { return NewMyTransport(); };
//     mine.address = [](const std::string& directory) { return *ParseAddress("mine:" + directory + "/socket"); };
//     return mine;
//   }
//   NEARCALL_INSTANTIATE_CONFORMANCE(Mine, Mine());
//
// Each case runs in a fresh private directory and ends with a leak audit. README.md lists the cases.
// Thread safety: as gtest. Cases fork while no thread but the test's runs: main() must not start any.
#ifndef NEARCALL_TRANSPORTS_CONFORMANCE_CONFORMANCE_H_
#define NEARCALL_TRANSPORTS_CONFORMANCE_CONFORMANCE_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/conformance/leak_audit.h"
#include "nearcall/transports/conformance/split_io.h"

namespace nearcall {

struct ConformanceSubject {
  std::function<std::unique_ptr<Transport>()> transport;
  // To listen at. Called once per case, with a directory that is empty, 0700, short and removed after the case.
  std::function<Address(const std::string& directory)> address;
  bool byte_stream = false;    // built on ByteStreamEndpoint: run with cut transfers and hostile bytes, too
  bool answers_first = false;  // a client's frames wait until the server has accepted it (tcp:, for the token)
  bool one_process = false;    // no other process can be the peer: cases with a killed peer do not apply
  std::string may_remain;      // ending of file names that a closed listener may leave
  int holds = 5;               // small flushed frames that the medium takes although nobody reads
  int connections = 100;       // that are open at once; fewer where a limit of the user's allows no more
};

struct ConformanceCase {
  ConformanceSubject subject;
  IoMode mode = IoMode::kNormal;
};

inline void PrintTo(const ConformanceCase& param, std::ostream* out) { *out << IoModeName(param.mode); }

std::vector<ConformanceCase> ConformanceCases(const ConformanceSubject& subject);

// A connection whose two ends have exchanged a frame each way.
struct ConformancePair {
  std::unique_ptr<Endpoint> client;
  std::unique_ptr<Endpoint> server;
};

class ConformanceTest : public ::testing::TestWithParam<ConformanceCase> {
 protected:
  void SetUp() override;
  void TearDown() override;

  Transport& transport() { return *transport_; }
  const Address& address() const { return address_; }
  const std::string& directory() const { return directory_; }
  const ConformanceSubject& subject() const { return GetParam().subject; }
  bool one_byte() const { return GetParam().mode == IoMode::kOneByte; }
  uint64_t seed() const { return seed_; }

  std::unique_ptr<Listener> Listen();  // at address(); fails the test where that fails
  ConformancePair Establish(Listener& listener);
  // The same with a client that sends what `forgery` holds instead of its next frames. Byte streams only.
  ConformancePair EstablishForging(Listener& listener, std::shared_ptr<Forgery> forgery);

  std::unique_ptr<ByteIo> Decorate(std::unique_ptr<ByteIo> io);  // as this case's I/O mode says

 private:
  std::string directory_;
  Address address_;
  uint64_t seed_ = 0;
  uint64_t decorated_ = 0;
  int established_ = 0;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<LeakAudit> audit_;
};

}  // namespace nearcall

// Once per file and subject, at namespace scope.
#define NEARCALL_INSTANTIATE_CONFORMANCE(name, subject)                                                               \
  INSTANTIATE_TEST_SUITE_P(name, NearcallConformanceTest, ::testing::ValuesIn(::nearcall::ConformanceCases(subject)), \
                           [](const ::testing::TestParamInfo<::nearcall::ConformanceCase>& info) {                    \
                             return std::string(::nearcall::IoModeName(info.param.mode));                             \
                           });                                                                                        \
  static_assert(true, "so that a semicolon may follow")

// TEST_P and its instantiation must name one class by one name, from whichever namespace.
using NearcallConformanceTest = ::nearcall::ConformanceTest;

#endif  // NEARCALL_TRANSPORTS_CONFORMANCE_CONFORMANCE_H_

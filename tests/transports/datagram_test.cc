// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// When a DatagramEndpoint asks its medium: a look in vain is a system call before the answer goes out.
#include "nearcall/transports/datagram/datagram.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>

namespace nearcall {
namespace {

constexpr size_t kMaxDatagram = 4100;
constexpr size_t kHeader = 4;

struct Medium {
  std::deque<std::string> datagrams;
  int asked = 0;  // Receive() calls
};

class MediumIo final : public DatagramIo {
 public:
  explicit MediumIo(Medium* medium) : medium_(medium) {}
  int send_fd() const override { return -1; }
  int receive_fd() const override { return -1; }
  ssize_t Send(const char*, size_t size) override { return static_cast<ssize_t>(size); }
  ssize_t Receive(char* data, size_t) override {
    ++medium_->asked;
    if (medium_->datagrams.empty()) {
      errno = EAGAIN;
      return -1;
    }
    const std::string datagram = std::move(medium_->datagrams.front());
    medium_->datagrams.pop_front();
    std::copy(datagram.begin(), datagram.end(), data);
    return static_cast<ssize_t>(datagram.size());
  }
  void Shutdown() override {}

 private:
  Medium* const medium_;
};

std::string DatagramOf(size_t payload) {
  std::string datagram;
  for (size_t i = 0; i < kHeader; ++i) datagram += static_cast<char>(payload >> (8 * i));
  return datagram + std::string(payload, 'x');
}

class DatagramTest : public ::testing::Test {
 protected:
  DatagramTest() {
    DatagramOptions options;
    options.info.transport = "test";
    options.max_datagram = kMaxDatagram;
    options.name = "test:datagrams";
    end_ = std::make_unique<DatagramEndpoint>(std::make_unique<MediumIo>(&medium_), std::move(options));
  }
  Io Take() {
    Frame frame;
    const Io io = end_->Borrow(&frame);
    if (io == Io::kOk) end_->Release();
    return io;
  }

  Medium medium_;
  std::unique_ptr<DatagramEndpoint> end_;
};

TEST_F(DatagramTest, AfterAShortDatagramItSaysOnceThatNothingIsThereWithoutAsking) {
  medium_.datagrams.push_back(DatagramOf(64));
  EXPECT_EQ(Take(), Io::kOk);
  EXPECT_EQ(medium_.asked, 1);
  EXPECT_EQ(Take(), Io::kWouldBlock);
  EXPECT_EQ(medium_.asked, 1);
  EXPECT_EQ(Take(), Io::kWouldBlock);
  EXPECT_EQ(medium_.asked, 2);
}

TEST_F(DatagramTest, WhatCameMeanwhileIsFoundByTheNextBorrow) {
  medium_.datagrams = {DatagramOf(64), DatagramOf(64)};
  EXPECT_EQ(Take(), Io::kOk);
  EXPECT_EQ(Take(), Io::kWouldBlock);
  EXPECT_EQ(Take(), Io::kOk);
}

TEST_F(DatagramTest, AfterArmingItAsks) {
  medium_.datagrams = {DatagramOf(64), DatagramOf(64)};
  EXPECT_EQ(Take(), Io::kOk);
  EXPECT_TRUE(end_->Arm(Side::kReceive));
  end_->Disarm(Side::kReceive);
  EXPECT_EQ(Take(), Io::kOk);
}

TEST_F(DatagramTest, AfterADatagramThatWasFilledItAsks) {
  medium_.datagrams = {DatagramOf(kMaxDatagram - kHeader), DatagramOf(64)};
  EXPECT_EQ(Take(), Io::kOk);
  EXPECT_EQ(Take(), Io::kOk);
  EXPECT_EQ(medium_.asked, 2);
}

}  // namespace
}  // namespace nearcall

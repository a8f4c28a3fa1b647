// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is read of a directory tree, what is left out, and what is refused.
#include "nearcall/examples/text_search/tree.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace text_search {
namespace {

namespace fs = std::filesystem;

class TreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/tree.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  Tree Load(const TreeLimits& limits = TreeLimits()) {
    absl::StatusOr<Tree> tree = LoadTree(root_, limits);
    EXPECT_TRUE(tree.ok()) << tree.status();
    return tree.ok() ? *std::move(tree) : Tree();
  }
  static std::vector<std::string> Paths(const Tree& tree) {
    std::vector<std::string> paths;
    for (size_t file = 0; file < tree.index.files(); ++file) {
      paths.push_back(tree.index.path(static_cast<Index::FileId>(file)));
    }
    return paths;
  }

  fs::path root_;
};

TEST_F(TreeTest, ReadsTextInTheOrderOfPaths) {
  Write("b", "2");
  Write("a/c", "1");
  Write("a.b", "0");
  Write(".hidden", "");
  Write("a/.git/config", "git's");
  Write(".git/config", "git's");
  Write("not.git/x", "3");
  Write("zero", std::string("text\0", 5));
  Write("late zero", std::string(200'000, 'x') + '\0');
  const Tree tree = Load();
  EXPECT_EQ(Paths(tree), (std::vector<std::string>{".hidden", "a.b", "a/c", "b", "not.git/x"}));
  EXPECT_EQ(tree.index.text(1), "0");
  EXPECT_EQ(tree.left_out.binary, 2u);
  EXPECT_EQ(tree.left_out.git_folders, 2u);
  EXPECT_EQ(tree.left_out.unreadable.count, 0u);
}

TEST_F(TreeTest, FollowsNoLinkButTheRoot) {
  Write("a/file", "text");
  fs::create_directory_symlink("..", root_ / "a/loop");
  fs::create_symlink("a/file", root_ / "to a file");
  fs::create_symlink("nothing", root_ / "to nothing");
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  Tree tree = Load();
  EXPECT_EQ(Paths(tree), (std::vector<std::string>{"a/file"}));
  EXPECT_EQ(tree.left_out.symlinks, 3u);
  EXPECT_EQ(tree.left_out.special, 1u);

  const fs::path link = root_ / "root";
  fs::create_directory_symlink("a", link);
  root_ = link;
  EXPECT_EQ(Paths(Load()), (std::vector<std::string>{"file"}));
  root_ = link.parent_path();
}

TEST_F(TreeTest, NamesWhatCannotBeRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  Write("closed/file", "text");
  Write("file", "text");
  Write("open", "text");
  fs::permissions(root_ / "file", fs::perms::none);
  fs::permissions(root_ / "closed", fs::perms::none);
  const Tree tree = Load();
  fs::permissions(root_ / "closed", fs::perms::owner_all);
  EXPECT_EQ(Paths(tree), (std::vector<std::string>{"open"}));
  EXPECT_EQ(tree.left_out.unreadable.count, 2u);
  EXPECT_EQ(tree.left_out.unreadable.first,
            (std::vector<std::string>{"closed/: Permission denied", "file: Permission denied"}));
}

TEST_F(TreeTest, LeavesLargeFilesOutAndNamesThem) {
  Write("ten", "0123456789");
  Write("eleven", "0123456789\n");
  TreeLimits limits;
  limits.file_bytes = 10;
  const Tree tree = Load(limits);
  EXPECT_EQ(Paths(tree), (std::vector<std::string>{"ten"}));
  EXPECT_EQ(tree.left_out.too_large.count, 1u);
  EXPECT_EQ(tree.left_out.too_large.first, (std::vector<std::string>{"eleven: over 10 bytes"}));
}

TEST_F(TreeTest, NamesOnlySoManyFiles) {
  for (size_t i = 0; i < NamedCount::kNamed + 3; ++i) Write("f" + std::to_string(i), "long");
  TreeLimits limits;
  limits.file_bytes = 1;
  const Tree tree = Load(limits);
  EXPECT_EQ(tree.left_out.too_large.count, NamedCount::kNamed + 3);
  EXPECT_EQ(tree.left_out.too_large.first.size(), NamedCount::kNamed);
}

TEST_F(TreeTest, RefusesATreeOverALimit) {
  Write("a", "12345");
  Write("b", "12345");
  TreeLimits limits;
  limits.total_bytes = 10;
  EXPECT_EQ(Load(limits).index.files(), 2u);
  limits.total_bytes = 9;
  absl::Status status = LoadTree(root_, limits).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), root_.string()) && absl::StrContains(status.message(), "9 bytes"));
  limits = TreeLimits();
  limits.files = 1;
  status = LoadTree(root_, limits).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "more than 1 files")) << status;
}

TEST_F(TreeTest, RefusesARootThatIsNoDirectory) {
  Write("file", "text");
  EXPECT_TRUE(absl::IsInvalidArgument(LoadTree(root_ / "file", TreeLimits()).status()));
  const absl::Status status = LoadTree(root_ / "nothing", TreeLimits()).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), (root_ / "nothing").string())) << status;
  if (::geteuid() == 0) return;  // who may list every folder
  fs::create_directory(root_ / "closed");
  fs::permissions(root_ / "closed", fs::perms::none);
  EXPECT_TRUE(absl::IsPermissionDenied(LoadTree(root_ / "closed", TreeLimits()).status()));
  fs::permissions(root_ / "closed", fs::perms::owner_all);
}

}  // namespace
}  // namespace text_search

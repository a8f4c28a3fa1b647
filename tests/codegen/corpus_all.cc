// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// All that is generated from corpus/, in one translation unit, without a warning (corpus_gcc_test, corpus_clang_test):
// so it also shows that files of one package do not disturb one another. Below: that names came out as README.md of
// codegen says.
#include "tests/codegen/corpus/collisions.nearcall.cc"
#include "tests/codegen/corpus/comments.nearcall.cc"
#include "tests/codegen/corpus/dash-and.dots/od-d.name.v1.nearcall.cc"
#include "tests/codegen/corpus/dash-and.dots/od_d.name.v1.nearcall.cc"
#include "tests/codegen/corpus/deprecated.nearcall.cc"
#include "tests/codegen/corpus/deprecated_file.nearcall.cc"
#include "tests/codegen/corpus/generic_services.nearcall.cc"
#include "tests/codegen/corpus/idempotency.nearcall.cc"
#include "tests/codegen/corpus/imports/far/public.nearcall.cc"
#include "tests/codegen/corpus/imports/types.nearcall.cc"
#include "tests/codegen/corpus/imports/user.nearcall.cc"
#include "tests/codegen/corpus/keywords.nearcall.cc"
#include "tests/codegen/corpus/lite.nearcall.cc"
#include "tests/codegen/corpus/lower_case.nearcall.cc"
#include "tests/codegen/corpus/nested_messages.nearcall.cc"
#include "tests/codegen/corpus/no_package.nearcall.cc"
#include "tests/codegen/corpus/no_package_nested.nearcall.cc"
#include "tests/codegen/corpus/no_services.nearcall.cc"
#include "tests/codegen/corpus/package_absl.nearcall.cc"
#include "tests/codegen/corpus/package_nearcall.nearcall.cc"
#include "tests/codegen/corpus/package_std.nearcall.cc"
#include "tests/codegen/corpus/part_absl.nearcall.cc"
#include "tests/codegen/corpus/part_nearcall.nearcall.cc"
#include "tests/codegen/corpus/proto2.nearcall.cc"
#include "tests/codegen/corpus/proto3_optional.nearcall.cc"
#include "tests/codegen/corpus/same_package.nearcall.cc"
#include "tests/codegen/corpus/several.nearcall.cc"
#include "tests/codegen/corpus/well_known.nearcall.cc"

#include <type_traits>

namespace nearcall_corpus {

using ::nearcall::Call;
using ::nearcall::CallOptions;
using ::nearcall::ClientReader;
using ::nearcall::ClientReaderWriter;
using ::nearcall::ClientWriter;

template <class Result, class Stub, class... Parameters>
constexpr bool IsStubMethod(Result (Stub::*)(Parameters...) const) {
  return true;
}

// Kinds, and services of the global namespace named like namespaces.
static_assert(
    std::is_same_v<decltype(&::OddGlobal::Stub::Unary),
                   Call<::OddGlobalReply> (::OddGlobal::Stub::*)(const ::OddGlobalRequest&, const CallOptions&) const>);
static_assert(std::is_same_v<decltype(&::OddGlobal::Stub::ServerStreaming),
                             ClientReader<::OddGlobalReply> (::OddGlobal::Stub::*)(const ::OddGlobalRequest&,
                                                                                   const CallOptions&) const>);
static_assert(
    std::is_same_v<decltype(&::OddGlobal::Stub::ClientStreaming), ClientWriter<::OddGlobalRequest, ::OddGlobalReply> (
                                                                      ::OddGlobal::Stub::*)(const CallOptions&) const>);
static_assert(
    std::is_same_v<decltype(&::OddGlobal::Stub::Bidi), ClientReaderWriter<::OddGlobalRequest, ::OddGlobalReply> (
                                                           ::OddGlobal::Stub::*)(const CallOptions&) const>);
static_assert(IsStubMethod(&::nearcall_::Stub::absl));
static_assert(IsStubMethod(&::std_::Stub::std));

// Libraries' names, in their packages and in others.
static_assert(IsStubMethod(&::nearcall::Channel_::Stub::Connect));
static_assert(IsStubMethod(&::absl::Status_::Stub::OkStatus));
static_assert(IsStubMethod(&::std::odd::vector::Stub::move));
static_assert(IsStubMethod(&::corpus::nearcall::internal::Server::Stub::Metadata));

// Keywords and collisions.
static_assert(IsStubMethod(&::corpus::keywords::template_::Stub::class_));
static_assert(IsStubMethod(&::corpus::keywords::template_::Stub::delete_));
static_assert(IsStubMethod(&::corpus::keywords::template_::Stub::delete__));
static_assert(IsStubMethod(&::corpus::keywords::template_::Stub::errno_));
static_assert(IsStubMethod(&::corpus::keywords::namespace_::Stub::namespace_));
static_assert(IsStubMethod(&::corpus::collisions::Stub__::Stub::Stub__));
static_assert(IsStubMethod(&::corpus::collisions::Stub__::Stub::Stub_));
static_assert(IsStubMethod(&::corpus::collisions::Service_::Stub::Service));
static_assert(std::is_member_function_pointer_v<decltype(&::corpus::collisions::Service_::Service::Service__)>);
static_assert(IsStubMethod(&::corpus::collisions::Wait::Stub::Wait));
static_assert(IsStubMethod(&::corpus::collisions::Echo::Stub::Echo));
static_assert(IsStubMethod(&::corpus::collisions::Echo::Stub::channel_));
static_assert(IsStubMethod(&::corpus::nested::v1::Outer_Inner_::Stub::Deep));

// The option namespace=rpc.
static_assert(IsStubMethod(&::corpus::generic::rpc::Generic::Stub::Call));
static_assert(IsStubMethod(&::rpc::OddNested::Stub::Call));

// Names on the wire stay those of the .proto.
constexpr bool Equal(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) ++a, ++b;
  return *a == *b;
}
static_assert(Equal(::corpus::keywords::template_::kServiceName, "corpus.keywords.template"));
static_assert(Equal(::corpus::collisions::kServiceName_::kServiceName, "corpus.collisions.kServiceName"));
static_assert(Equal(::corpus::generic::rpc::Generic::kServiceName, "corpus.generic.Generic"));
static_assert(Equal(::nearcall_::kServiceName, "nearcall"));

// A server may override every form's methods under these names.
class Overrides final : public ::corpus::collisions::Echo::CoroutineService {
  using Request = ::corpus::collisions::Request;
  ::nearcall::Task<::absl::StatusOr<::corpus::collisions::Reply>> done(::nearcall::ServerContext&,
                                                                       const Request&) override {
    co_return ::corpus::collisions::Reply();
  }
};
static_assert(!std::is_abstract_v<Overrides>);

}  // namespace nearcall_corpus

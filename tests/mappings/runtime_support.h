#pragma once
// Compiles maps and runs them on the texts of tests.

#include <memory>
#include <optional>
#include <string>

#include "hl7/message.h"
#include "mappings/compiler.h"
#include "mappings/csv.h"
#include "mappings/package.h"
#include "mappings/program.h"
#include "mappings/tables.h"

namespace kiln::mappings::test {

/// The shipped library and one more file, compiled; a compile error fails the running test.
class Maps {
 public:
  explicit Maps(const std::string& text);
  Program program(const std::string& name) const { return compiled_.program(name); }
  const CompiledLibrary& compiled() const { return compiled_; }

 private:
  std::unique_ptr<Library> library_;
  CompiledLibrary compiled_;
};

/// An input that owns what it is made of. `suffix`: ".hl7", ".json", ".csv".
class OwnedInput {
 public:
  OwnedInput(const std::string& suffix, std::string text, const Program& program);
  RunInput get() const;

 private:
  std::optional<hl7::Message> message_;
  base::JsonDocument json_;
  CsvFile rows_;
  DataKind kind_ = DataKind::hl7;
};

/// Received 2026-03-02T07:30:00Z on channel "test", in UTC.
RunContext test_context();

}  // namespace kiln::mappings::test

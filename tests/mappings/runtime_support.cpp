#include "runtime_support.h"

#include <catch2/catch.hpp>

#include "mappings/detail/facts.h"

namespace kiln::mappings::test {

Maps::Maps(const std::string& text) : library_(std::make_unique<Library>()) {
  base::Diagnostics diagnostics;
  library_->add_text("test.hmap", text, diagnostics);
  library_->require_all_shipped();
  library_->link(diagnostics);
  compiled_ = compile(*library_, diagnostics);
  if (!diagnostics.ok()) FAIL(base::render(diagnostics, library_->sources()));
}

OwnedInput::OwnedInput(const std::string& suffix, std::string text, const Program& program) {
  if (suffix == ".json") {
    kind_ = DataKind::fhir;
    auto parsed = base::parse_json(text);
    REQUIRE(parsed);
    json_ = *parsed;
    return;
  }
  if (suffix == ".csv") {
    kind_ = DataKind::csv;
    const ir::Map& map = program.unit().maps[program.maps()[0]];
    auto parsed = CsvFile::read(text, program.facts()->csv_formats[map.source_csv]);
    REQUIRE(parsed);
    rows_ = std::move(*parsed);
    return;
  }
  for (char& c : text) c = c == '\n' ? '\r' : c;
  auto parsed = hl7::Message::parse(std::move(text));
  REQUIRE(parsed);
  message_ = std::move(*parsed);
}

RunInput OwnedInput::get() const {
  if (kind_ == DataKind::fhir) return json_.root();
  if (kind_ == DataKind::csv) return rows_.input();
  return &*message_;
}

RunContext test_context() {
  RunContext context;
  context.received.micros = 1'772'436'600'000'000;
  context.channel = "test";
  return context;
}

}  // namespace kiln::mappings::test

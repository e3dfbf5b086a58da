#include "engine/base/diagnostic.h"

#include <catch2/catch.hpp>

using namespace kiln::base;

TEST_CASE("a diagnostic shows place, excerpt, caret, notes and help") {
  SourceMap sources;
  const auto file = sources.add("acme/adt.hmap", "map m {\n  telecom += PID-40[*]\n}\n");
  Diagnostic d;
  d.code = ErrorCode::bad_value;
  d.message = "segment PID has no field 40";
  d.span = {file, 21, 27};
  d.label = "PID ends at PID-39";
  d.notes = {"it exists from 2.7"};
  d.helps = {"use PID-13[*]"};
  CHECK(render(d, sources) ==
        "error[bad-value]: segment PID has no field 40\n"
        "  --> acme/adt.hmap:2:14\n"
        "2 |   telecom += PID-40[*]\n"
        "  |              ^^^^^^ PID ends at PID-39\n"
        "  = note: it exists from 2.7\n"
        "  = help: use PID-13[*]\n");
}

TEST_CASE("a span over several lines is cut at the line's end") {
  SourceMap sources;
  const auto file = sources.add("x.hmap", "ab\ncd\n");
  Diagnostic d;
  d.message = "m";
  d.span = {file, 1, 5};
  CHECK(render(d, sources).find("  |  ^\n") != std::string::npos);
  d.span = {file, 6, 6};
  CHECK_FALSE(render(d, sources).empty());
}

TEST_CASE("nearest suggests small slips only") {
  const std::vector<std::string_view> names = {"birthDate", "gender", "identifier"};
  CHECK(nearest("birthdate", names) == "birthDate");
  CHECK(nearest("gendre", names) == "gender");
  CHECK(nearest("telecom", names).empty());
}

#pragma once
// A syntax tree as text, one node a line, for golden files. Spans are left out: the diagnostics goldens pin
// them.

#include <string>

#include "mappings/ast.h"

namespace kiln::mappings::test {

std::string dump(const ast::File& file);
std::string dump(const ast::Expr& expr);

}  // namespace kiln::mappings::test

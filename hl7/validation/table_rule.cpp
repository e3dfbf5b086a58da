// Codes of tables, and constants of a profile.

#include <algorithm>

#include "hl7/validation/check.h"

namespace kiln::hl7::detail {

namespace {

void report(Check& check, const CodeTable& table, const Piece& piece, const Location& at) {
  check.add(table.open ? RuleKind::user_table : RuleKind::table, at, piece.offset(),
            "code is not in table " + std::string(table.id), table.title);
}

bool wanted(const Check& check, const CodeTable& table) {
  return !table.codes.empty() && check.on(table.open ? RuleKind::user_table : RuleKind::table);
}

/// The code system component says that the code is of this table, or says nothing.
bool is_of_table(std::string_view system, const CodeTable& table) {
  return system.empty() || (system.starts_with("HL7") && system.substr(3) == table.id) || system == table.id;
}

}  // namespace

void check_code(Check& check, const Element& element, const LeafView& leaf, const Location& at) {
  const CodeTable& table = check.rules.table(element.table);
  if (wanted(check, table) && !table.holds(leaf.text(check.buffer))) report(check, table, leaf, at);
}

/// A coded value says in component 3 (6 for the alternate) which system its code is of: only codes of this
/// table can be wrong, and one right code is enough.
void check_coded(Check& check, const Element& element, const Piece& part, const Location& at) {
  const CodeTable& table = check.rules.table(element.table);
  if (!wanted(check, table)) return;
  const Piece code = part_of(part, 1);
  if (!code.valued() || !is_of_table(part_of(part, 3).text(check.buffer), table)) return;
  if (table.holds(code.text(check.buffer))) return;
  const Piece other = part_of(part, 4);
  if (other.valued() && is_of_table(part_of(part, 6).text(check.buffer), table) &&
      table.holds(other.text(check.buffer)))
    return;
  report(check, table, code, below(at, 1));
}

void check_constant(Check& check, const Element& element, const LeafView& leaf, const Location& at) {
  if (!check.on(RuleKind::constant)) return;
  const auto& allowed = check.rules.constants(element.constants);
  const std::string_view text = leaf.text(check.buffer);
  if (std::find(allowed.begin(), allowed.end(), text) == allowed.end())
    check.add(RuleKind::constant, at, leaf.offset(), "not the value that was agreed on", element.name);
}

}  // namespace kiln::hl7::detail

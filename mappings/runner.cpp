#include "mappings/detail/run.h"
#include "mappings/program.h"

namespace kiln::mappings {

class Runner::State : public detail::Run {};

Runner::Runner() : state_(std::make_unique<State>()) {}
Runner::~Runner() = default;

RunResult& Runner::run(const Program& program, const RunInput& input, const RunContext& context) {
  return state_->execute(program, input, context);
}

std::vector<std::string> Runner::maps_for(const Program& program, const RunInput& input) {
  return state_->maps_for(program, input);
}

bool Runner::evaluate_condition(const Program& program, std::uint32_t expression, const RunInput& input,
                                const RunContext& context) {
  return state_->evaluate_condition(program, expression, input, context);
}

std::string Runner::evaluate_text(const Program& program, std::uint32_t expression, const RunInput& input,
                                  const RunContext& context) {
  return state_->evaluate_text(program, expression, input, context);
}

std::vector<std::string> Runner::unread() const {
  return state_->unread();
}

std::vector<InputValue> Runner::input_values() const {
  return state_->input_values();
}

std::vector<std::string> Runner::source_paths(std::uint64_t source) const {
  return state_->source_paths(source);
}

Program::Program(std::shared_ptr<const ir::Unit> unit, std::shared_ptr<const detail::Facts> facts,
                 std::uint32_t map)
    : unit_(std::move(unit)),
      facts_(std::move(facts)),
      name_(unit_->text(unit_->maps[map].name)),
      maps_{map} {}

Program::Program(std::shared_ptr<const ir::Unit> unit, std::shared_ptr<const detail::Facts> facts,
                 std::string package, std::vector<std::uint32_t> maps)
    : unit_(std::move(unit)),
      facts_(std::move(facts)),
      name_(std::move(package)),
      maps_(std::move(maps)),
      is_package_(true) {}

DataType Program::input() const {
  if (maps_.empty()) return {};
  const ir::Map& map = unit_->maps[maps_[0]];
  return {static_cast<DataKind>(map.source), std::string(unit_->text(map.source_type)),
          std::string(unit_->text(map.source_version))};
}

DataType Program::output() const {
  if (maps_.empty()) return {};
  const ir::Map& map = unit_->maps[maps_[0]];
  const bool bundle = map.bundle_type != ir::kNone;
  return {static_cast<DataKind>(map.target), bundle ? "Bundle" : std::string(unit_->text(map.target_type)),
          std::string(unit_->text(map.target_version))};
}

bool Program::can_reject() const {
  if (is_package_) return true;  // of a message that no map takes
  for (const std::uint32_t map : maps_) {
    if (unit_->maps[map].can_reject) return true;
  }
  return false;
}

std::string_view name_of(Outcome outcome) {
  constexpr std::string_view kNames[] = {"ok", "ok_with_warnings", "rejected", "quarantined", "failed"};
  return kNames[static_cast<std::size_t>(outcome)];
}

}  // namespace kiln::mappings

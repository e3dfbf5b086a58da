#include "fhir/detail/operation_input.h"

#include <algorithm>

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::fail;
using base::JsonView;

namespace {

/// The member "value…" of a parameter.
JsonView value_of(JsonView parameter) {
  for (const JsonView member : parameter)
    if (member.key().starts_with("value")) return member;
  return {};
}

}  // namespace

Answer<OperationInput> OperationInput::read(const Call& call, std::vector<std::string_view> known) {
  OperationInput input;
  input.call_ = &call;
  input.has_parameters_ = call.body["resourceType"].text() == "Parameters";
  const auto check = [&](std::string_view name) -> Answer<void> {
    if (!call.strict_search || std::find(known.begin(), known.end(), name) != known.end()) return {};
    return fail(ErrorCode::fhir_search_unknown,
                "parameter '" + std::string(name) + "' is not known to " + call.operation);
  };
  for (const auto& [name, value] : call.query) TRY_VOID(check(name));
  if (!input.has_parameters_) return input;
  std::size_t index = 0;
  for (const JsonView parameter : call.body["parameter"]) {
    const std::string place = "Parameters.parameter[" + std::to_string(index++) + "]";
    if (parameter["name"].text().empty())
      return fail(ErrorCode::fhir_invalid, "the parameter has no name", place + ".name");
    TRY_VOID(check(parameter["name"].text()));
  }
  return input;
}

std::vector<std::string_view> OperationInput::texts(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const auto& [key, value] : call_->query)
    if (key == name && !value.empty()) found.push_back(value);
  if (!has_parameters_) return found;
  for (const JsonView parameter : call_->body["parameter"])
    if (parameter["name"].text() == name && !value_of(parameter).text().empty())
      found.push_back(value_of(parameter).text());
  return found;
}

std::string_view OperationInput::text(std::string_view name) const {
  const auto all = texts(name);
  return all.empty() ? std::string_view() : all.front();
}

JsonView OperationInput::value(std::string_view name) const {
  if (!has_parameters_) return {};
  for (const JsonView parameter : call_->body["parameter"])
    if (parameter["name"].text() == name) return value_of(parameter);
  return {};
}

JsonView OperationInput::resource(std::string_view name, bool is_body) const {
  if (!has_parameters_) return is_body ? call_->body : JsonView();
  for (const JsonView parameter : call_->body["parameter"])
    if (parameter["name"].text() == name) return parameter["resource"];
  return {};
}

OperationOutput::OperationOutput() {
  out_.begin_object().member("resourceType", "Parameters").key("parameter").begin_array();
}

base::JsonWriter& OperationOutput::parameter(std::string_view name) {
  return out_.begin_object().member("name", name);
}

void OperationOutput::text(std::string_view name, std::string_view value_member, std::string_view value) {
  if (value.empty()) return;
  parameter(name).member(value_member, value);
  end();
}

void OperationOutput::boolean(std::string_view name, bool value) {
  parameter(name).key("valueBoolean").boolean(value);
  end();
}

Reply OperationOutput::reply() {
  out_.end_array().end_object();
  Reply reply;
  reply.body = out_.take();
  return reply;
}

}  // namespace kiln::fhir::detail

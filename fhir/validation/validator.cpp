#include "fhir/validation/validator.h"

#include <algorithm>

#include "fhir/model/xml.h"
#include "fhir/validation/detail/profile.h"
#include "fhir/validation/detail/profile_check.h"
#include "fhir/validation/detail/session.h"

namespace kiln::fhir {
namespace {

using detail::Session;

bool is_xml(std::string_view text) {
  const std::size_t first = text.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  return first != text.npos && (text[first] == '<' || text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"));
}

/// The issue type of what a reader could read over.
std::string_view code_of(const ReadIssue& issue) {
  return issue.code == base::ErrorCode::fhir_wrong_type && issue.text.starts_with("not a valid") ? "value"
                                                                                                   : "structure";
}

void check_root(Session& session, Node root) {
  if (!root.is_resource()) {
    if (root.type()) check_profile(session, root, "http://hl7.org/fhir/StructureDefinition/" + std::string(root.type()->name()));
    return;
  }
  if (!session.options.expected_type.empty() && root.type()->name() != session.options.expected_type)
    session.error("structure", root, "expects the resource type " + std::string(session.options.expected_type));
  check_resource(session, root);
}

std::vector<Issue> check_text(Session& session, std::string_view text, const ReadOptions& read) {
  std::vector<ReadIssue> found;
  ReadOptions wide = read;
  wide.issues = &found;
  const auto tree = is_xml(text) ? read_xml(text, wide) : read_json(text, wide);
  if (!tree) {
    Issue issue = issue_of(tree.error());
    issue.severity = IssueSeverity::fatal;
    issue.diagnostics = tree.error().place;
    issue.expression.clear();
    return {issue};
  }
  for (ReadIssue& issue : found)
    session.issues.add_at(IssueSeverity::error, code_of(issue), std::move(issue.path), issue.offset, std::move(issue.text));
  session.choices_checked = true;
  if (tree->root()) check_root(session, tree->root());
  return session.issues.take();
}

/// FHIRPath's questions about terminology and profiles.
void let_ask(Session& session) {
  session.environment.now = session.options.now;
  if (session.terminology) {
    session.environment.member_of = [&session](Node coded, std::string_view value_set) -> std::optional<bool> {
      return detail::is_member(session, coded, value_set);
    };
  }
  if (session.terminology) {
    session.environment.subsumes = [&session](std::string_view system, std::string_view ancestor,
                                              std::string_view code) -> std::optional<bool> {
      const Membership answer = session.terminology->subsumes(system, ancestor, code);
      return answer == Membership::unknown ? std::nullopt : std::optional(answer == Membership::yes);
    };
  }
  if (session.profiles) {
    session.environment.in_slice = [&session](Node element, std::string_view profile, std::string_view slice) {
      return detail::is_in_slice(session, element, profile, slice);
    };
    session.environment.conforms_to = [&session](Node node, std::string_view url) -> std::optional<bool> {
      if (!detail::ProfileStore::base_type(url) && !session.profiles->find(url)) return std::nullopt;
      return detail::conforms_to_any(session, node, {std::string(url)});
    };
  }
}

}  // namespace

Validator::Validator(const Library& library)
    : library_(library), terminology_(library), profiles_(std::make_unique<detail::ProfileStore>(library)) {}
Validator::~Validator() = default;

std::vector<Issue> Validator::validate(const Tree& tree, const ValidatorOptions& options) const {
  Session session{options, &terminology_, &library_, profiles_.get(), {options.source, options.issues_max}};
  let_ask(session);
  if (tree.root()) check_root(session, tree.root());
  return session.issues.take();
}

std::vector<Issue> Validator::validate_text(std::string_view text, const ValidatorOptions& options,
                                            const ReadOptions& read) const {
  ValidatorOptions placed = options;
  placed.source = text;
  Session session{placed, &terminology_, &library_, profiles_.get(), {placed.source, placed.issues_max}};
  let_ask(session);
  return check_text(session, text, read);
}

std::optional<bool> Validator::conforms(Node node, std::string_view profile) const {
  if (!detail::ProfileStore::base_type(profile) && !profiles_->find(profile)) return std::nullopt;
  const ValidatorOptions options;
  Session session{options, &terminology_, &library_, profiles_.get(), {{}, options.issues_max}};
  let_ask(session);
  return detail::conforms_to_any(session, node, {std::string(profile)});
}

std::optional<bool> Validator::is_member(Node coded, std::string_view value_set) const {
  const ValidatorOptions options;
  Session session{options, &terminology_, &library_, profiles_.get(), {{}, options.issues_max}};
  return detail::is_member(session, coded, value_set);
}

std::optional<bool> Validator::in_slice(Node element, std::string_view profile, std::string_view slice) const {
  const ValidatorOptions options;
  Session session{options, &terminology_, &library_, profiles_.get(), {{}, options.issues_max}};
  let_ask(session);
  return detail::is_in_slice(session, element, profile, slice);
}

void Validator::connect(PathEnvironment& environment) const {
  environment.member_of = [this](Node coded, std::string_view value_set) { return is_member(coded, value_set); };
  environment.conforms_to = [this](Node node, std::string_view profile) { return conforms(node, profile); };
  environment.in_slice = [this](Node element, std::string_view profile, std::string_view slice) {
    return in_slice(element, profile, slice);
  };
  environment.subsumes = [this](std::string_view system, std::string_view ancestor,
                                std::string_view code) -> std::optional<bool> {
    const Membership answer = terminology_.subsumes(system, ancestor, code);
    return answer == Membership::unknown ? std::nullopt : std::optional(answer == Membership::yes);
  };
}

std::vector<Issue> validate_structure(const Tree& tree, const ValidatorOptions& options) {
  ValidatorOptions only = options;
  only.level = ValidationLevel::structure;
  Session session{only, nullptr, nullptr, nullptr, {only.source, only.issues_max}};
  if (tree.root()) check_root(session, tree.root());
  return session.issues.take();
}

std::vector<Issue> validate_structure(std::string_view text, const ValidatorOptions& options) {
  ValidatorOptions only = options;
  only.level = ValidationLevel::structure;
  only.source = text;
  Session session{only, nullptr, nullptr, nullptr, {only.source, only.issues_max}};
  ReadOptions read;
  read.bytes_max = text.size();  // whoever has the text has let it in
  return check_text(session, text, read);
}

bool is_valid(const std::vector<Issue>& issues) {
  return std::none_of(issues.begin(), issues.end(), [](const Issue& issue) {
    return issue.severity == IssueSeverity::error || issue.severity == IssueSeverity::fatal;
  });
}

}  // namespace kiln::fhir

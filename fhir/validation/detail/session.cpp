#include "fhir/validation/detail/session.h"

#include <algorithm>

namespace kiln::fhir::detail {
namespace {

std::string counted(std::size_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

}  // namespace

void Issues::add(IssueSeverity severity, std::string_view code, Node at, std::string text) {
  if ((severity <= IssueSeverity::error ? errors_ : others_) >= max_) {
    truncated_ = true;
    return;
  }
  add_at(severity, code, at.path(), at.offset(), std::move(text));
}

void Issues::add_at(IssueSeverity severity, std::string_view code, std::string path, std::size_t offset,
                    std::string text) {
  std::size_t& count = severity <= IssueSeverity::error ? errors_ : others_;
  if (count >= max_) {
    truncated_ = true;
    return;
  }
  ++count;
  found_.push_back({offset, found_.size(), {severity, std::string(code), std::move(text), std::move(path), {}}});
}

void Issues::drop(std::size_t size, bool truncated) {
  while (found_.size() > size) {
    --(found_.back().issue.severity <= IssueSeverity::error ? errors_ : others_);
    found_.pop_back();
  }
  truncated_ = truncated;
}

std::vector<Issue> Issues::take() {
  std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.number < b.number;
  });
  // A profile and a layer below it may find the same.
  const auto same = [](const Found& a, const Found& b) {
    return a.offset == b.offset && a.issue.text == b.issue.text && a.issue.expression == b.issue.expression;
  };
  found_.erase(std::unique(found_.begin(), found_.end(), same), found_.end());
  std::vector<Issue> list;
  list.reserve(found_.size() + 1);
  std::size_t line = 1, column = 1, at = 0;
  for (Found& found : found_) {
    if (!source_.empty()) {
      const std::size_t offset = std::min(found.offset, source_.size());
      for (; at < offset; ++at) {
        if (source_[at] == '\n')
          ++line, column = 1;
        else if ((static_cast<unsigned char>(source_[at]) & 0xC0) != 0x80)
          ++column;
      }
      found.issue.diagnostics = "line " + std::to_string(line) + ", column " + std::to_string(column);
    }
    list.push_back(std::move(found.issue));
  }
  if (truncated_)
    list.push_back({IssueSeverity::information, "informational", "further issues are not listed", {}, {}});
  return list;
}

void Session::missing(std::string_view code, Node parent, std::string_view name, std::string text) {
  issues.add_at(IssueSeverity::error, code, parent.path() + "." + std::string(name), parent.offset(), std::move(text));
}

void Session::too_many(Node first, Node parent, std::string_view name, std::string text) {
  issues.add_at(IssueSeverity::error, "structure", parent.path() + "." + std::string(name), first.offset(), std::move(text));
}

const BundleIndex& Session::bundle_index(Node bundle) {
  const auto [at, is_new] = bundles.try_emplace(bundle.id());
  if (!is_new) return at->second;
  BundleIndex& index = at->second;
  for (const Node entry : bundle) {
    if (entry.name() != "entry") continue;
    const Node resource = entry["resource"], full_url = entry["fullUrl"];
    if (!resource || !resource.type()) continue;
    if (full_url.has_value()) index.by_full_url.emplace(full_url.text(), resource);
    if (const Node id = resource["id"])
      index.by_type_id.emplace(std::string(resource.type()->name()) + "/" + std::string(id.text()), resource);
  }
  return index;
}

std::string shape_of(Node node) {
  switch (node.kind()) {
    case NodeKind::boolean:
      return "a boolean";
    case NodeKind::number:
      return "a number of " + counted(node.text().size(), "character");
    case NodeKind::string: {
      const std::string_view text = node.text();
      const auto characters = std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      });
      return "a string of " + counted(static_cast<std::size_t>(characters), "character");
    }
    case NodeKind::empty:
      return "no value";
    case NodeKind::null_:
      return "null";
    case NodeKind::array:
      return "an array";
    case NodeKind::object:
      break;
  }
  return "an object";
}

}  // namespace kiln::fhir::detail

// The paths of an XML Patch: read, and followed.
#include <algorithm>
#include <charconv>

#include "engine/base/text.h"
#include "fhir/model/xml.h"
#include "fhir/patch/detail/xml_value.h"

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

constexpr std::size_t kStepsMax = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.' || static_cast<unsigned char>(c) >= 0x80;
}

class Parser {
 public:
  Parser(std::string_view text, const NamespaceOf& namespace_of) : text_(text), namespace_of_(namespace_of) {}

  Result<XmlPath> path() {
    XmlPath path;
    take('/');
    while (true) {
      if (take('@')) {
        TRY(path.attribute, attribute());
        path.target = XmlPath::Target::attribute;
        break;
      }
      if (text_.substr(at_).starts_with("text()")) {
        at_ += 6;
        path.target = XmlPath::Target::text;
        if (take('[')) {
          TRY(path.text, position());
          if (!take(']')) return bad("']' is expected");
        }
        break;
      }
      TRY(XmlStep one, step());
      path.steps.push_back(std::move(one));
      if (path.steps.size() > kStepsMax) return bad("the path has too many steps");
      if (!take('/')) break;
    }
    if (at_ != text_.size()) return bad("only steps to children, [position], [path='value'], @attribute and text() are understood");
    if (path.steps.empty()) return bad("an element is expected first");
    return path;
  }

 private:
  tl::unexpected<base::Error> bad(const char* why) const {
    return base::fail(ErrorCode::fhir_patch, std::string("the path of `sel`: ") + why, "character " + std::to_string(at_ + 1));
  }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view name() {
    const std::size_t begin = at_;
    if (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '.' || text_[at_] == '-')) return {};
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  /// A name with its namespace. "f" and "h" mean FHIR and XHTML also where the patch does not declare them.
  Result<std::pair<std::string, std::string>> qualified() {
    std::string_view first = name(), local = first;
    if (first.empty()) return bad("a name is expected");
    if (at_ + 1 < text_.size() && text_[at_] == ':' && is_name_char(text_[at_ + 1])) {
      ++at_;
      local = name();
    } else {
      first = {};
    }
    if (const std::string_view declared = namespace_of_(first); !declared.empty())
      return std::pair(std::string(declared), std::string(local));
    if (first.empty() || first == "f") return std::pair(std::string(kFhirNamespace), std::string(local));
    if (first == "h") return std::pair(std::string(kXhtmlNamespace), std::string(local));
    return bad("the prefix is not declared");
  }

  Result<std::string> attribute() {
    std::string out(name());
    if (out.empty()) return bad("the name of an attribute is expected");
    if (take(':')) out += ":" + std::string(name());
    return out;
  }

  Result<std::size_t> position() {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (error != std::errc() || number == 0) return bad("a position from 1 on is expected");
    at_ = static_cast<std::size_t>(end - text_.data());
    return number;
  }

  Result<std::string> literal() {
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') return bad("a text in quotes is expected");
    const std::size_t end = text_.find(quote, ++at_);
    if (end == text_.npos) return bad("the text does not end");
    std::string out(text_.substr(at_, end - at_));
    at_ = end + 1;
    return out;
  }

  Result<XmlTest> test() {
    XmlTest out;
    if (at_ < text_.size() && is_digit(text_[at_])) {
      TRY(out.position, position());
      return out;
    }
    if (!take('.')) {
      do {
        if (take('@')) {
          TRY(out.attribute, attribute());
          break;
        }
        TRY(auto element, qualified());
        out.path.push_back(std::move(element));
      } while (out.path.size() < kStepsMax && take('/'));
    }
    if (!take('=')) return bad("'=' is expected");
    TRY(out.value, literal());
    return out;
  }

  Result<XmlStep> step() {
    XmlStep out;
    out.any = take('*');
    if (!out.any) {
      TRY(auto element, qualified());
      out.ns = std::move(element.first);
      out.name = std::move(element.second);
    }
    while (take('[')) {
      TRY(XmlTest one, test());
      if (!take(']')) return bad("']' is expected");
      out.tests.push_back(std::move(one));
      if (out.tests.size() > kStepsMax) return bad("too many conditions");
    }
    return out;
  }

  std::string_view text_;
  const NamespaceOf& namespace_of_;
  std::size_t at_ = 0;
};

/// Follows a path; each element that is looked at counts.
class Finder {
 public:
  explicit Finder(std::size_t& budget) : budget_(budget) {}

  Result<std::vector<XmlValue*>> find(XmlValue& root, const XmlPath& path) {
    std::vector<XmlValue*> now = {&root};
    for (const XmlStep& step : path.steps) {
      std::vector<XmlValue*> next;
      for (XmlValue* parent : now) {
        TRY(const auto children, follow(*parent, step));
        next.insert(next.end(), children.begin(), children.end());
      }
      now = std::move(next);
    }
    return now;
  }

 private:
  Status count(std::size_t elements) {
    if (elements > budget_) return base::fail(ErrorCode::limit_exceeded, "the paths of the patch lead over too many elements");
    budget_ -= elements;
    return {};
  }

  Result<std::vector<XmlValue*>> follow(XmlValue& parent, const XmlStep& step) {
    TRY_VOID(count(parent.children.size() + 1));
    std::vector<XmlValue*> found;
    for (const auto& child : parent.children)
      if (!child->is_text && (step.any || (child->name == step.name && child->ns == step.ns))) found.push_back(child.get());
    for (const XmlTest& test : step.tests) {
      std::vector<XmlValue*> passed;
      for (std::size_t i = 0; i < found.size(); ++i) {
        TRY(const bool holds, test.position > 0 ? Result<bool>(i + 1 == test.position) : holds_for(*found[i], test, 0));
        if (holds) passed.push_back(found[i]);
      }
      found = std::move(passed);
    }
    return found;
  }

  Result<bool> holds_for(const XmlValue& element, const XmlTest& test, std::size_t at) {
    if (at < test.path.size()) {
      TRY_VOID(count(element.children.size() + 1));
      for (const auto& child : element.children) {
        if (child->is_text || child->ns != test.path[at].first || child->name != test.path[at].second) continue;
        TRY(const bool holds, holds_for(*child, test, at + 1));
        if (holds) return true;
      }
      return false;
    }
    if (test.attribute.empty()) {
      const std::string text = element.string_value();
      TRY_VOID(count(text.size() / 16));
      return text == test.value;
    }
    return std::any_of(element.attributes.begin(), element.attributes.end(),
                       [&](const auto& one) { return one.first == test.attribute && one.second == test.value; });
  }

  std::size_t& budget_;
};

}  // namespace

Result<XmlPath> parse_xml_path(std::string_view text, const NamespaceOf& namespace_of) {
  return Parser(base::trim(text), namespace_of).path();
}

Result<std::vector<XmlValue*>> find_elements(XmlValue& root, const XmlPath& path, std::size_t& budget) {
  return Finder(budget).find(root, path);
}

}  // namespace kiln::fhir::detail

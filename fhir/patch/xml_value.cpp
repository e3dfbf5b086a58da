#include "fhir/patch/detail/xml_value.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "fhir/model/detail/xml_scanner.h"
#include "fhir/model/xml.h"

namespace kiln::fhir::detail {

using base::Result;

void XmlValue::touch() {
  for (XmlValue* one = this; one; one = one->parent) one->verbatim.clear();
}

std::string XmlValue::string_value() const {
  if (is_text) return text;
  std::string out;
  for (const auto& child : children) out += child->string_value();
  return out;
}

std::size_t XmlValue::place() const {
  const auto& all = parent->children;
  return static_cast<std::size_t>(
      std::find_if(all.begin(), all.end(), [this](const auto& one) { return one.get() == this; }) - all.begin());
}

void XmlValue::insert(std::size_t at, std::unique_ptr<XmlValue> child) {
  child->parent = this;
  children.insert(children.begin() + static_cast<std::ptrdiff_t>(at), std::move(child));
  touch();
}

void XmlValue::insert(std::size_t at, std::vector<std::unique_ptr<XmlValue>> content) {
  for (const auto& one : content) one->parent = this;
  children.insert(children.begin() + static_cast<std::ptrdiff_t>(at), std::make_move_iterator(content.begin()),
                  std::make_move_iterator(content.end()));
  touch();
}

std::unique_ptr<XmlValue> XmlValue::remove(std::size_t at) {
  std::unique_ptr<XmlValue> out = std::move(children[at]);
  children.erase(children.begin() + static_cast<std::ptrdiff_t>(at));
  out->parent = nullptr;
  touch();
  return out;
}

namespace {

/// Builds the tree from what the scanner gives.
class Reader {
 public:
  explicit Reader(std::string_view text) : scanner_(text, base::limits::kJsonDepthMax) {}

  Result<std::unique_ptr<XmlValue>> read() {
    auto root = std::make_unique<XmlValue>();
    at_ = root.get();
    for (;;) {
      switch (scanner_.next()) {
        case XmlEvent::start:
          open();
          break;
        case XmlEvent::end:
          close();
          break;
        case XmlEvent::text:
          add_text();
          break;
        case XmlEvent::finished:
          return root;
        case XmlEvent::error:
          return base::fail(base::Error(scanner_.error()));
      }
    }
  }

 private:
  void open() {
    auto element = std::make_unique<XmlValue>();
    element->ns = scanner_.namespace_uri();
    element->name = scanner_.name();
    for (const XmlAttribute& attribute : scanner_.attributes()) {
      std::string value;
      append_xml_value(value, attribute.raw, true);
      const std::string prefix = attribute.prefix.empty() ? std::string() : std::string(attribute.prefix) + ":";
      element->attributes.emplace_back(prefix + std::string(attribute.name), std::move(value));
    }
    if (div_depth_ == 0 && element->ns == kXhtmlNamespace) {
      div_depth_ = scanner_.depth();
      div_begin_ = scanner_.offset();
      keeps_ = scanner_.declares_default() && scanner_.prefix().empty();
      scanner_.keep_space(true);
    }
    element->parent = at_;
    at_->children.push_back(std::move(element));
    at_ = at_->children.back().get();
    open_.push_back(scanner_.depth());
  }

  void close() {
    if (div_depth_ > 0 && open_.back() == div_depth_) {
      // One that leans on declarations outside is written anew.
      if (keeps_)
        at_->verbatim = scanner_.source().substr(div_begin_, scanner_.end_offset() - div_begin_);
      div_depth_ = 0;
      scanner_.keep_space(false);
    }
    open_.pop_back();
    at_ = at_->parent;
  }

  void add_text() {
    std::string text;
    if (scanner_.is_cdata())
      append_one_line_ends(text, scanner_.raw());
    else
      append_xml_value(text, scanner_.raw(), false);
    if (!at_->children.empty() && at_->children.back()->is_text) {
      at_->children.back()->text += text;
      return;
    }
    auto node = std::make_unique<XmlValue>();
    node->is_text = true;
    node->text = std::move(text);
    node->parent = at_;
    at_->children.push_back(std::move(node));
  }

  XmlScanner scanner_;
  XmlValue* at_ = nullptr;
  std::vector<std::size_t> open_;
  std::size_t div_depth_ = 0, div_begin_ = 0;
  bool keeps_ = false;
};

void append_escaped(std::string& out, std::string_view text, bool is_attribute) {
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '\r' || (is_attribute && (c == '\n' || c == '\t')))
      out += "&#" + std::to_string(static_cast<int>(c)) + ";";
    else if (c == '"' && is_attribute)
      out += "&quot;";
    else
      out += c;
  }
}

void append(std::string& out, const XmlValue& value, std::string_view outer_ns) {
  if (value.is_text) return append_escaped(out, value.text, false);
  if (!value.verbatim.empty()) {
    out += value.verbatim;
    return;
  }
  out.append("<").append(value.name);
  if (value.ns != outer_ns) {
    out += " xmlns=\"";
    append_escaped(out, value.ns, true);
    out += "\"";
  }
  for (const auto& [name, text] : value.attributes) {
    out.append(" ").append(name).append("=\"");
    append_escaped(out, text, true);
    out += "\"";
  }
  if (value.children.empty()) {
    out += "/>";
    return;
  }
  out += ">";
  for (const auto& child : value.children) append(out, *child, value.ns);
  out.append("</").append(value.name).append(">");
}

}  // namespace

Result<std::unique_ptr<XmlValue>> read_xml_value(std::string_view text) {
  return Reader(text).read();
}

std::string print_xml_value(const XmlValue& root) {
  std::string out;
  for (const auto& child : root.children) append(out, *child, {});
  return out;
}

std::unique_ptr<XmlValue> copy_of(const XmlValue& value) {
  auto out = std::make_unique<XmlValue>();
  out->is_text = value.is_text;
  out->ns = value.ns;
  out->name = value.name;
  out->attributes = value.attributes;
  out->text = value.text;
  out->verbatim = value.verbatim;
  for (const auto& child : value.children) {
    out->children.push_back(copy_of(*child));
    out->children.back()->parent = out.get();
  }
  return out;
}

}  // namespace kiln::fhir::detail

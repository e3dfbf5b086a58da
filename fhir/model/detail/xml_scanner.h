#pragma once
// A strict pull reader of XML 1.0 for documents without a DTD. It exists because a resource needs three things at
// once that the XML libraries at hand do not give together: the source bytes of a narrative as they stand, the
// place of everything for error texts, and the refusal of all that is not well-formed (duplicate attributes, unknown
// entities, control characters). Nothing is copied or allocated per element; entities cannot grow anything, because
// only the five predefined ones and character references exist.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace kiln::fhir::detail {

enum class XmlEvent : std::uint8_t { start, end, text, finished, error };

struct XmlAttribute {
  std::string_view prefix, name;
  std::string_view raw;  ///< between the quotes
  std::size_t offset;    ///< of the name in the source
  bool plain;            ///< `raw` is the value: no reference and no white space to normalise
};

/// Views point into the source, which must outlive the scanner. Not thread-safe.
class XmlScanner {
 public:
  /// `source` must be valid UTF-8 (a byte order mark at the start is passed over). Elements nested deeper than
  /// `depth_max` are an error.
  XmlScanner(std::string_view source, std::size_t depth_max);

  /// The next start tag, end tag or text; `<a/>` gives a start and an end. White space between tags, comments and
  /// processing instructions give nothing, unless keep_space() was asked for. After `finished` and `error` the same
  /// again.
  XmlEvent next();
  /// White space counts as text (inside a narrative).
  void keep_space(bool keep) { keep_space_ = keep; }
  /// Another limit from here on.
  void set_depth_max(std::size_t depth_max) { depth_max_ = depth_max; }

  // ---- of start and end ----
  std::string_view prefix() const { return prefix_; }
  std::string_view name() const { return name_; }
  std::string_view namespace_uri() const { return uri_; }
  /// Of a start tag: without the xmlns declarations.
  const std::vector<XmlAttribute>& attributes() const { return attributes_; }
  /// The start tag declares a default namespace itself.
  bool declares_default() const { return declares_default_; }
  /// The namespace an attribute's prefix stands for; empty for none.
  std::string_view uri_of(std::string_view prefix) const;
  /// The prefix is declared by the open element number `depth` (from 1) or inside it.
  bool is_declared_since(std::size_t depth, std::string_view prefix) const;

  // ---- of text ----
  std::string_view raw() const { return raw_; }
  bool is_cdata() const { return is_cdata_; }
  bool is_space() const;  ///< nothing but white space

  std::size_t depth() const { return open_.size(); }
  std::size_t offset() const { return begin_; }  ///< of what next() gave
  std::size_t end_offset() const { return at_; }
  std::string_view source() const { return source_; }

  /// Of `error`: code xml_syntax, xml_doctype, xml_entity, xml_encoding or limit_exceeded; place "line L, column C".
  const base::Error& error() const { return error_; }

 private:
  struct Open {
    std::string_view prefix, name;
    std::size_t bindings;  ///< size of bindings_ before it
  };
  struct Binding {
    std::string_view prefix, uri;
  };

  XmlEvent fail(base::ErrorCode code, const char* text, std::size_t offset);
  XmlEvent fail(const char* text) { return fail(base::ErrorCode::xml_syntax, text, at_); }
  XmlEvent read_text();
  XmlEvent read_start();
  XmlEvent read_end();
  XmlEvent read_cdata();
  XmlEvent finish();
  bool read_attributes();
  bool read_attribute();
  bool check_reference(std::size_t& at);
  bool check_attribute_names();
  bool take_binding(const XmlAttribute& attribute);
  bool resolve_names();
  bool skip_comment();
  bool skip_instruction();
  bool check_declaration(std::string_view declaration);
  std::string_view read_name();
  /// False when it is no name with at most one prefix.
  bool split(std::string_view qualified, std::string_view& prefix, std::string_view& name) const;
  void skip_space();

  std::string_view source_;
  std::size_t depth_max_;
  std::size_t at_ = 0, begin_ = 0;
  bool keep_space_ = false, pending_end_ = false, seen_root_ = false, is_cdata_ = false;
  bool declares_default_ = false, done_ = false, failed_ = false;
  std::string_view prefix_, name_, uri_, raw_;
  std::vector<XmlAttribute> attributes_;
  std::vector<Open> open_;
  std::vector<Binding> bindings_;
  base::Error error_;
};

/// The value of an attribute or a text: references replaced, line ends made one; white space of an attribute
/// becomes a space (XML 1.0 §3.3.3). `raw` came from a scanner, so its references are known to be good.
void append_xml_value(std::string& out, std::string_view raw, bool is_attribute);
/// `raw` with CR LF and CR as LF (XML 1.0 §2.11).
void append_one_line_ends(std::string& out, std::string_view raw);
/// Bytes of a reference, '&' and ';' with it, that can mean something.
inline constexpr std::size_t kReferenceMax = 13;
/// The size of the reference to a carriage return ("&#13;", "&#0013;") that `text` begins with; 0 for none.
std::size_t return_reference(std::string_view text);
/// The size of the comment, CDATA section or processing instruction that well-formed `text` begins with; 0 for none. What
/// looks like a reference in it is none.
std::size_t verbatim_size(std::string_view text);
/// "line 3, column 14": columns count characters, from 1.
std::string line_and_column(std::string_view source, std::size_t offset);

}  // namespace kiln::fhir::detail

#include "mappings/targets/fhir.h"

#include <algorithm>
#include <array>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "mappings/targets/kept_object.h"

namespace kiln::mappings::detail {
namespace {

constexpr std::string_view kAbsent =
    "{\"extension\":[{\"url\":\"http://hl7.org/fhir/StructureDefinition/"
    "data-absent-reason\",\"valueCode\":\"unknown\"}]}";

/// RFC 3986: unreserved.
constexpr std::array<bool, 256> kUnreserved = [] {
  std::array<bool, 256> table{};
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : {'-', '.', '_', '~'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

void put_percent(OutputBuffer& out, char c) {
  constexpr char kHex[] = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  const char escaped[] = {'%', kHex[byte >> 4], kHex[byte & 15]};
  out.put(std::string_view(escaped, 3));
}

/// Nothing in it needs an escape: most numbers and the keys that maps join.
bool is_unreserved(std::string_view text) {
  bool all = true;
  if (text.size() < Block::kBytes) {
    for (const char c : text) all &= kUnreserved[static_cast<unsigned char>(c)];
    return all;
  }
  const std::size_t last = text.size() - Block::kBytes;
  for (std::size_t at = 0; at < last; at += Block::kBytes)
    all &= Block::load(text.data() + at).is_unreserved();
  return all && Block::load(text.data() + last).is_unreserved();
}

/// One part of a token search value: FHIR escapes `\ , | $` with a backslash, then the URL escapes.
void put_token(OutputBuffer& out, std::string_view text) {
  if (is_unreserved(text)) return out.put(text);
  std::size_t plain = 0;  // where the run of characters that stand as they are begins
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (kUnreserved[static_cast<unsigned char>(c)]) continue;
    out.put(text.substr(plain, i - plain));
    plain = i + 1;
    if (c == '\\' || c == ',' || c == '|' || c == '$') put_percent(out, '\\');
    put_percent(out, c);
  }
  out.put(text.substr(plain));
}

std::string_view method_of(ir::RequestKind kind) {
  switch (kind) {
    case ir::RequestKind::create:
    case ir::RequestKind::ensure:
      return "POST";
    case ir::RequestKind::patch:
      return "PATCH";
    default:
      return "PUT";
  }
}

}  // namespace

[[gnu::always_inline]] inline void FhirTarget::record(const OutputNode& node) {
  record(node, out_.size());
}

[[gnu::always_inline]] inline void FhirTarget::record(const OutputNode& node, std::size_t at) {
  if (node.rule == ir::kNone || !lineage_) return;
  run_.result_.lineage.push_back({node.rule, static_cast<std::uint32_t>(at), node.source});
}

void FhirTarget::print() {
  const bool bundle = run_.map_->bundle_type != ir::kNone;
  if (bundle) {
    merge_duplicates();
    for (CreatedNode* node : run_.created_) {
      // What a patch is for is found by its identifier, so it has it; written, it would replace all others.
      const bool patch = node->create->request == ir::RequestKind::patch;
      if (!node->skipped && node->merged_into == nullptr && !patch) add_identity(*node);
    }
  }
  settle_references();
  if (bundle) {
    name_resources();
    print_bundle();
  } else if (run_.root_ != nullptr && !is_vacant(*run_.root_)) {
    print_resource(*run_.root_, {});
  }
  out_.give(run_.result_.output);
}

void FhirTarget::print_bundle() {
  const std::string_view type = run_.unit_->text(run_.map_->bundle_type);
  const bool requests = type == "transaction" || type == "batch";
  print_bundle_start(type);
  bool any = false;
  for (const CreatedNode* created : run_.created_) {
    const CreatedNode& node = *created;
    if (!node.exists || node.is_bundle()) continue;
    if (node.amends) [[unlikely]] {  // the fullUrl is that of the `ensure`
      out_.put(any ? std::string_view(",{\"resource\":") : ",\"entry\":[{\"resource\":");
    } else {
      out_.put(any ? std::string_view(",{\"fullUrl\":\"urn:uuid:") : ",\"entry\":[{\"fullUrl\":\"urn:uuid:");
      out_.put(std::string_view(node.uuid, sizeof node.uuid));
      out_.put("\",\"resource\":");
    }
    any = true;
    const ir::RequestKind request = node.create->request;
    if (requests && request == ir::RequestKind::patch) {
      print_patch(node);
    } else {
      const bool by_id = requests && !conditional(node) && request != ir::RequestKind::create &&
                         request != ir::RequestKind::none;
      print_resource(node,
                     by_id && own_id(node).empty() ? std::string_view(node.uuid, sizeof node.uuid) : "");
    }
    if (requests && request != ir::RequestKind::none) print_request(node);
    out_.put('}');
  }
  if (!any) return out_.truncate(0);  // nothing to store: no Bundle at all
  out_.put("]}");
}

/// The Bundle's own elements, where a `create` of type Bundle wrote some; its type stands in FHIR order among
/// them.
void FhirTarget::print_bundle_start(std::string_view type) {
  out_.put("{\"resourceType\":\"Bundle\"");
  const auto put_type = [&] {
    out_.put(",\"type\":");
    out_.put_string(type);
  };
  bool typed = false;
  for (const CreatedNode* node : run_.created_) {
    if (!node->exists || !node->is_bundle()) continue;
    const MemberFacts* const members = run_.facts_->shapes[node->shape].members;
    for (std::uint32_t i = next_slot(*node, 0); i < node->size; i = next_slot(*node, i + 1)) {
      const MemberFacts& member = members[i];
      if (member.name == "type" || member.name == "entry" || member.name == "total") continue;
      if (!typed && (member.name == "timestamp" || member.name == "link" || member.name == "signature")) {
        put_type();
        typed = true;
      }
      print_member(*node->slots[i], member);
    }
    break;
  }
  if (!typed) put_type();
}

std::string_view FhirTarget::own_id(const CreatedNode& node) const {
  const std::uint16_t at = run_.facts_->shapes[node.shape].id;
  if (at == ir::kNoSlot || node.slots[at] == nullptr || node.slots[at]->kind != NodeKind::text) return {};
  return node.slots[at]->text();
}

/// A conditional request needs an identity that means one thing: a value without a system could be
/// anybody's.
bool FhirTarget::conditional(const CreatedNode& node) const {
  const ir::RequestKind kind = node.create->request;
  const bool wanted =
      kind == ir::RequestKind::upsert || kind == ir::RequestKind::ensure || kind == ir::RequestKind::patch;
  return wanted && !node.value.empty() && !node.system.empty();
}

void FhirTarget::print_conditional(const CreatedNode& node) {
  out_.put("identifier=");
  if (node.system.data() == token_.data() && node.system.size() == token_.size()) {
    out_.put_again(token_at_, token_size_);  // as for the resource before
  } else {
    token_ = node.system;
    token_at_ = out_.size();
    put_token(out_, node.system);
    token_size_ = out_.size() - token_at_;
  }
  out_.put("%7C");
  put_token(out_, node.value);
}

void FhirTarget::print_request(const CreatedNode& node) {
  const bool by_identity = conditional(node);
  ir::RequestKind kind = node.create->request;
  if (kind == ir::RequestKind::ensure && !by_identity) kind = ir::RequestKind::update;
  out_.put(",\"request\":{\"method\":\"");
  out_.put(method_of(kind));
  out_.put("\",\"url\":\"");
  out_.put(node.resource_type);
  if (kind == ir::RequestKind::create || kind == ir::RequestKind::ensure) {
    if (kind == ir::RequestKind::ensure) {
      out_.put("\",\"ifNoneExist\":\"");
      print_conditional(node);
    }
  } else if (by_identity) {
    out_.put('?');
    print_conditional(node);
  } else {
    out_.put('/');
    const std::string_view id = own_id(node);
    out_.put(id.empty() ? std::string_view(node.uuid, sizeof node.uuid) : id);
  }
  out_.put("\"}");
}

/// A JSON Patch in a Binary, as a transaction wants it: `add` replaces a member that is there; a removal is
/// made to succeed on a member that is not there by adding it first. The identifiers stay: one of them finds
/// the resource, and a list would replace those that others gave it.
void FhirTarget::print_patch(const CreatedNode& node) {
  OutputBuffer patch;
  FhirTarget inner(run_, patch);
  patch.put('[');
  bool first = true;
  const auto open = [&](std::string_view op, std::string_view name) {
    patch.put(first ? "{\"op\":\"" : ",{\"op\":\"");
    first = false;
    patch.put(op);
    patch.put("\",\"path\":\"/");
    patch.put(name);
    patch.put('"');
  };
  for (std::uint32_t i = 0; i < node.size; ++i) {
    const MemberFacts& member = run_.facts_->shapes[node.shape].members[i];
    if (node.slots[i] == nullptr || is_vacant(*node.slots[i])) continue;
    if (i == run_.facts_->shapes[node.shape].identifier) continue;
    const std::size_t mark = patch.size();
    const bool was_first = first;
    open("add", member.name);
    patch.put(",\"value\":");
    if (inner.print_value(*node.slots[i], member)) {
      patch.put('}');
    } else {
      patch.truncate(mark);
      first = was_first;
    }
  }
  const auto part_of_node = [&](const OutputNode* root) {
    if (root == &node) return true;
    return std::any_of(run_.created_.begin(), run_.created_.end(), [&](const CreatedNode* other) {
      return other == root && other->merged_into == &node;
    });
  };
  for (const PatchRemoval& removal : run_.removals_) {
    if (!part_of_node(removal.root)) continue;
    open("add", removal.member);
    patch.put(",\"value\":\"\"}");
    open("remove", removal.member);
    patch.put('}');
  }
  patch.put(']');
  out_.put("{\"resourceType\":\"Binary\",\"contentType\":\"application/json-patch+json\",\"data\":\"");
  out_.put(base::base64_encode(patch.text()));
  out_.put("\"}");
}

void FhirTarget::print_resource(const OutputNode& object, std::string_view id) {
  out_.put(run_.facts_->shapes[object.shape].resource);
  if (!id.empty()) {
    out_.put(",\"id\":\"");
    out_.put(id);
    out_.put('"');
  }
  print_members(object);
  out_.put('}');
}

/// Each member with a comma before it. Objects and lists of objects are printed here and not by functions of
/// their own: they are most of a Bundle.
bool FhirTarget::print_members(const OutputNode& object) {
  const MemberFacts* const members = run_.facts_->shapes[object.shape].members;
  bool wrote = false;
  for_each_slot(object, [&](std::uint32_t i) {
    const OutputNode& node = *object.slots[i];
    const MemberFacts& member = members[i];
    if (node.kind == NodeKind::empty || (node.needs_live && !node.live)) return;
    if (node.kind == NodeKind::text && !member.list) {
      const auto at_value = [&](std::size_t at) { record(node, at); };
      if (node.quoted) {
        out_.put_two(member.key, {node.text_data - 1, node.size + 2u}, at_value);
      } else {
        out_.put_with_string(member.key, node.text(), at_value);
      }
      wrote = true;
      return;
    }
    const std::size_t mark = out_.size();
    bool printed = false;
    if (node.kind == NodeKind::object && !member.list) {
      out_.put(member.key);
      printed = print_object(node);
    } else if (node.kind == NodeKind::list && member.list) {
      out_.put(member.key);
      printed = print_items(node, member);
      out_.put(']');
    } else {
      printed = print_member(node, member);
    }
    if (printed) {
      wrote = true;
    } else {
      out_.truncate(mark);
    }
  });
  return wrote;
}

/// What is neither a plain text nor an object nor a list of values. False: what was put is to be taken back.
bool FhirTarget::print_member(const OutputNode& node, const MemberFacts& member) {
  if (node.kind == NodeKind::absent_reason && member.primitive) {
    out_.put(",\"_");
    out_.put(member.name);
    out_.put("\":");
    record(node);
    out_.put(kAbsent);
    return true;
  }
  out_.put(member.key);
  const bool printed = print_value(node, member);
  if (member.list) out_.put(']');
  return printed;
}

std::string_view FhirTarget::print_apart(Run& run, const OutputNode& object, OutputBuffer& out,
                                         std::vector<LineageRecord>& lineage) {
  FhirTarget target(run, out, true);
  run.result_.lineage.swap(lineage);
  const bool printed = target.print_object(object);
  run.result_.lineage.swap(lineage);
  return printed ? out.text() : std::string_view();
}

/// As it printed before; only its places are others.
void FhirTarget::print_kept(const OutputNode& object) {
  const KeptUse& use = KeptUse::of(object);
  const auto at = static_cast<std::uint32_t>(out_.size());
  out_.put(use.object->printed);
  if (!lineage_) return;
  for (const KeptRecord& record : use.object->records)
    run_.result_.lineage.push_back({record.rule, at + record.output, use.source_of(record)});
}

inline bool FhirTarget::print_object(const OutputNode& object) {
  if (object.kept) {
    print_kept(object);
    return true;
  }
  const std::size_t mark = out_.size();
  if (!print_members(object)) return false;
  out_.replace(mark, '{');  // the comma of its first member
  out_.put('}');
  return true;
}

/// The items, without the brackets around them.
inline bool FhirTarget::print_items(const OutputNode& list, const MemberFacts& member) {
  bool wrote = false, real = false;
  for (const OutputNode* item = list.first; item != nullptr; item = item->next) {
    const std::size_t mark = out_.size();
    if (wrote) out_.put(',');
    const bool object = item->kind == NodeKind::object && (item->live || !item->needs_live);
    if (object ? print_object(*item) : print_value(*item, member)) {
      wrote = real = true;
    } else {
      out_.truncate(mark);
      // The extensions of a primitive list stand at the index of their item (FHIR json.html#primitive).
      if (member.companion && item->next != nullptr) {
        out_.put(wrote ? ",null" : "null");
        wrote = true;
      }
    }
  }
  return real;
}

bool FhirTarget::print_value(const OutputNode& node, const MemberFacts& member) {
  if (node.needs_live && !node.live) return false;
  switch (node.kind) {
    case NodeKind::text:
      record(node);
      out_.put_string(node.text());
      return true;
    case NodeKind::token:
      record(node);
      out_.put(node.text());
      return true;
    case NodeKind::object:
      return print_object(node);
    case NodeKind::list: {
      out_.put('[');
      const bool wrote = print_items(node, member);
      out_.put(']');
      return wrote;
    }
    case NodeKind::reference: {
      if (!node.live) return false;
      const CreatedNode& target = survivor(*node.target);
      record(node);
      out_.put("\"urn:uuid:");
      out_.put(std::string_view(target.uuid, sizeof target.uuid));
      out_.put('"');
      return true;
    }
    case NodeKind::json:
      record(node);
      print_json(*node.json);
      return true;
    case NodeKind::absent_reason:
      if (member.primitive) return false;
      record(node);
      out_.put(kAbsent);
      return true;
    default:
      return false;
  }
}

void FhirTarget::print_json(const base::JsonView& view) {
  switch (view.kind()) {
    case base::JsonKind::string:
      return out_.put_string(view.text());
    case base::JsonKind::object: {
      out_.put('{');
      bool first = true;
      for (const base::JsonView child : view) {
        if (!first) out_.put(',');
        first = false;
        out_.put_string(child.key());
        out_.put(':');
        print_json(child);
      }
      return out_.put('}');
    }
    case base::JsonKind::array: {
      out_.put('[');
      bool first = true;
      for (const base::JsonView child : view) {
        if (!first) out_.put(',');
        first = false;
        print_json(child);
      }
      return out_.put(']');
    }
    case base::JsonKind::null_:
      return out_.put("null");
    default:
      return out_.put(view.text());
  }
}

}  // namespace kiln::mappings::detail

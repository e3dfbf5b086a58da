// What a Bundle will hold: duplicates merged, identities written, references to what really exists.

#include <bit>
#include <charconv>

#include "mappings/detail/sha1.h"
#include "mappings/detail/text_hash.h"
#include "mappings/targets/fhir.h"

namespace kiln::mappings::detail {

const CreatedNode& survivor(const CreatedNode& node) {
  const CreatedNode* at = &node;
  while (at->merged_into != nullptr) at = at->merged_into;
  return *at;
}

void FhirTarget::merge_list(OutputNode& into, OutputNode& from) {
  for (OutputNode* item = from.first; item != nullptr; item = item->next) {
    if (is_vacant(*item)) continue;
    bool known = false;
    for (const OutputNode* have = into.kind == NodeKind::list ? into.first : nullptr;
         have != nullptr && !known; have = have->next) {
      known = equal_content(*have, *item);
    }
    if (known) continue;
    OutputNode& copy = append_item(run_.arena_, into);
    graft(run_.arena_, copy, *item);
    run_.collect_references(copy);
  }
}

/// Another type of the choice that member `at` belongs to, when one is written: variants share the place of
/// their element.
OutputNode* FhirTarget::other_variant(OutputNode& object, std::uint32_t at) const {
  const ir::Range members = run_.unit_->shapes[object.shape].members;
  const ir::Member& member = run_.unit_->members[members.first + at];
  for (std::uint32_t i = 0; i < object.size && i < members.count; ++i) {
    const ir::Member& other = run_.unit_->members[members.first + i];
    const bool variant =
        i != at && other.order == member.order && !other.is_companion && !member.is_companion;
    if (variant && object.slots[i] != nullptr && !is_vacant(*object.slots[i])) return object.slots[i];
  }
  return nullptr;
}

/// Two codes, two periods: a scalar that both objects have differs.
bool FhirTarget::contradict(const OutputNode& a, const OutputNode& b) {
  for (std::uint32_t i = next_slot(a, 0); i < a.size && i < b.size; i = next_slot(a, i + 1)) {
    if (!a.slots[i]->is_scalar() || b.slots[i] == nullptr || !b.slots[i]->is_scalar()) continue;
    if (!equal_content(*a.slots[i], *b.slots[i])) return true;
  }
  return false;
}

/// Adds what `from` has and `into` has not. What differs takes the later value, because a message tells
/// things in the order in which they came about (an order, then its cancellation), and is noted; an object in
/// it whole, so that no code stands beside the display of another.
void FhirTarget::merge(OutputNode& into, OutputNode& from) {
  const auto replace = [&](OutputNode& to, OutputNode& by) {
    clear(to);
    graft(run_.arena_, to, by);
    run_.collect_references(to);
  };
  const auto note = [&](const OutputNode& part) {
    run_.rule_ = part.rule;
    run_.note(RunDiagnostic::Level::note, "identity-conflict",
              "two creates of one identity differ; the last value stays", nullptr);
  };
  if (from.kept) own_members(run_.arena_, from);
  for (std::uint32_t i = 0; i < from.size; ++i) {
    OutputNode* part = from.slots[i];
    if (part == nullptr || is_vacant(*part)) continue;
    OutputNode& to = slot(run_.arena_, into, i);
    if (is_vacant(to)) {
      if (OutputNode* const other = other_variant(into, i)) {
        note(*part);
        clear(*other);
      }
      replace(to, *part);
    } else if (to.kind == NodeKind::list && part->kind == NodeKind::list) {
      // Dosages are one instruction together: those of two versions of an order are not to be added up.
      const bool dosage = run_.facts_->shapes[into.shape].members[i].name == "dosageInstruction";
      if (!dosage) {
        merge_list(to, *part);
      } else if (!equal_content(to, *part)) {
        note(*part);
        replace(to, *part);
      }
    } else if (to.kind == NodeKind::object && part->kind == NodeKind::object && to.shape == part->shape &&
               !contradict(to, *part)) {
      merge(to, *part);
    } else if (!equal_content(to, *part)) {
      note(*part);
      replace(to, *part);
    }
  }
  into.live |= from.live;
  into.pending |= from.pending;
}

namespace {

bool same_identity(const CreatedNode& a, const CreatedNode& b) {
  return a.value == b.value && a.system == b.system && a.resource_type == b.resource_type &&
         a.authority == b.authority;
}

}  // namespace

/// The first one with the identity of `node`, which is entered when there is none.
CreatedNode* FhirTarget::first_with_identity(CreatedNode& node) {
  std::vector<CreatedNode*>& known = run_.identities_;
  const std::size_t mask = known.size() - 1;
  for (std::size_t at = hash_text(node.resource_type.size(), node.value);; ++at) {
    CreatedNode*& place = known[at & mask];
    if (place == nullptr) return place = &node;
    if (same_identity(*place, node)) return place;
  }
}

void FhirTarget::merge_duplicates() {
  run_.identities_.assign(std::bit_ceil(run_.created_.size() * 2 + 1), nullptr);
  for (CreatedNode* node : run_.created_) {
    if (node->skipped || node->value.empty()) continue;
    CreatedNode* const first = first_with_identity(*node);
    if (first == node) continue;
    CreatedNode* into = first;
    // A patch behind an `ensure` is for what is known already: both are asked for.
    if (node->create->request == ir::RequestKind::patch && first->create->request == ir::RequestKind::ensure &&
        conditional(*node)) {
      into = first->amended_by;
      if (into == nullptr) {
        first->amended_by = node;
        node->amends = true;
        continue;
      }
    }
    node->merged_into = into;
    if (into->shape == node->shape) merge(*into, *node);
  }
}

/// The identity has to be found again by a conditional request, so it is among the resource's identifiers.
void FhirTarget::add_identity(CreatedNode& node) {
  const std::uint16_t at = run_.facts_->shapes[node.shape].identifier;
  if (node.identity == nullptr || at == ir::kNoSlot) return;
  const ir::Member& member = run_.unit_->members[run_.unit_->shapes[node.shape].members.first + at];
  OutputNode& place = slot(run_.arena_, node, at);
  const auto same = [&](const OutputNode& other) {
    if (other.kind != NodeKind::object || is_vacant(other)) return false;
    const auto text = [&](std::uint16_t part) {
      const OutputNode* leaf = part == ir::kNoSlot || part >= other.size ? nullptr : other.slots[part];
      return leaf == nullptr || leaf->kind != NodeKind::text ? std::string_view() : leaf->text();
    };
    return text(run_.unit_->identifier_value) == node.value &&
           text(run_.unit_->identifier_system) == node.system;
  };
  if (!member.list) {
    if (is_vacant(place)) graft(run_.arena_, place, *node.identity);
    return;
  }
  if (place.kind == NodeKind::list) {
    for (const OutputNode* item = place.first; item != nullptr; item = item->next) {
      if (same(*item)) return;
    }
  }
  adopt(append_item(run_.arena_, place), *node.identity);
}

/// A resource exists when one of its rules wrote something; a reference counts when its target exists. Least
/// fixed point, so that two empty resources that refer to each other do not keep each other alive.
void FhirTarget::settle_references() {
  const auto exists = [](const CreatedNode& node) {
    const CreatedNode& kept = survivor(node);
    return !kept.skipped && (kept.live || !kept.needs_live);
  };
  bool changed = true;
  while (changed) {
    changed = false;
    for (OutputNode* reference : run_.references_) {
      if (reference->live || reference->kind != NodeKind::reference || !exists(*reference->target)) continue;
      mark_live(reference);
      changed = true;
    }
  }
  for (CreatedNode* node : run_.created_) node->exists = node->merged_into == nullptr && exists(*node);
  for (const OutputNode* reference : run_.references_) {
    if (reference->live || reference->kind != NodeKind::reference) continue;
    run_.rule_ = reference->rule;
    run_.note(RunDiagnostic::Level::note, "elided-reference",
              "the resource `" + std::string(reference->target->handle) + "` was not created", nullptr);
  }
}

std::string_view FhirTarget::seed_of(const CreatedNode& node) {
  OutputBuffer& seed = run_.seed_;
  seed.clear();
  if (!node.value.empty()) {
    // The authority always belongs to the seed: one number of two authorities is two patients. Who names none
    // means numbers of its own.
    seed.put(node.resource_type);
    seed.put('|');
    if (!node.system.empty()) {
      seed.put(node.system);
    } else {
      seed.put(node.authority.empty() ? run_.sender_seed() : node.authority);
    }
    seed.put('|');
    seed.put(node.value);
    return seed.text();
  }
  seed.put(run_.message_seed());
  seed.put(node.handle);
  seed.put('|');
  for (std::uint32_t i = 0; i < node.loops; ++i) {
    if (i > 0) seed.put('.');
    char digits[10];
    const auto end = std::to_chars(digits, digits + sizeof digits, run_.loop_numbers_[node.first_loop + i]);
    seed.put(std::string_view(digits, static_cast<std::size_t>(end.ptr - digits)));
  }
  if (node.create->copy != 0) {
    char digits[10];
    const auto end = std::to_chars(digits, digits + sizeof digits, node.create->copy);
    seed.put('#');
    seed.put(std::string_view(digits, static_cast<std::size_t>(end.ptr - digits)));
  }
  return seed.text();
}

void FhirTarget::name_resources() {
  std::uint32_t entry = 0;
  for (CreatedNode* node : run_.created_) {
    if (!node->exists) {
      if (node->skipped || node->merged_into != nullptr) continue;
      run_.rule_ = node->create->rule;
      run_.note(RunDiagnostic::Level::note, "nothing-written",
                "no rule of `" + std::string(node->handle) + "` wrote anything; the resource is left out",
                nullptr);
      continue;
    }
    if (node->is_bundle()) continue;
    node->entry = entry++;
    uuid5_into(seed_of(*node), node->uuid, run_.first_block_);
  }
  for (const CreatedNode* node : run_.created_) {
    const CreatedNode& kept = survivor(*node);
    if (kept.exists && !node->skipped && !kept.is_bundle()) {
      run_.result_.created.push_back({node->handle, node->resource_type, kept.entry});
    }
  }
}

}  // namespace kiln::mappings::detail

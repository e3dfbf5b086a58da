#include "mappings/detail/extend.h"

#include <algorithm>

#include "engine/base/text.h"
#include "mappings/detail/body.h"
#include "mappings/detail/lexer.h"

namespace kiln::mappings::detail {

using base::ErrorCode;
using Kind = ast::Edit::Kind;

namespace {

std::string joined(const std::string& handle, const std::string& path) {
  if (handle.empty() || path.empty()) return handle + path;
  return handle + "." + path;
}

std::string key_of(const RuleName& name) {
  return joined(name.handle, name.path) + (name.label.empty() ? "" : "@" + name.label);
}

std::string_view verb_of(Kind kind) {
  return kind == Kind::remove ? "removes" : kind == Kind::replace ? "replaces" : "adds to";
}

}  // namespace

std::string normalised_source(const base::SourceMap& sources, base::Span span) {
  base::Diagnostics ignored;  // the parser has read this text already
  const std::string& text = sources.file(span.file).text;
  std::string out;
  for (const Token& token : lex(span.file, text, span.begin, span.end, ignored).tokens) {
    if (token.kind == TokenKind::end) break;
    if (!out.empty()) out += ' ';
    for (const char c : std::string_view(text).substr(token.begin, token.end - token.begin)) {
      if (c == '\n')
        out += "\\n";
      else if (c != '\r')
        out += c;
    }
  }
  return out;
}

std::string address_of(const ast::Target& target, std::size_t first_step) {
  using StepKind = ast::TargetStep::Kind;
  std::string out;
  for (std::size_t i = first_step; i < target.steps.size(); ++i) {
    const ast::TargetStep& step = target.steps[i];
    const bool glued = step.kind == StepKind::slice || step.kind == StepKind::index;
    if (!out.empty() && !glued) out += '.';
    switch (step.kind) {
      case StepKind::field:
        out += step.name.text + "-" + std::to_string(step.number);
        break;
      case StepKind::element:
        out += step.name.text;
        break;
      case StepKind::ext:
        out += "ext(" + step.name.text + ")";
        break;
      case StepKind::component:
        out += std::to_string(step.number);
        break;
      case StepKind::slice:
        out += ":" + step.name.text;
        break;
      case StepKind::index:
        out += "[" + std::to_string(step.number) + "]";
        break;
    }
  }
  return out;
}

std::optional<Extension> Extension::open(CompilerState& state, const Declaration& declaration) {
  Extension extension(state);
  std::vector<const Declaration*> chain;
  const Declaration* at = &declaration;
  while (const auto* extend = at->decl->get_if<ast::ExtendDecl>()) {
    if (std::find(chain.begin(), chain.end(), at) != chain.end()) {
      state.report(ErrorCode::E0502, declaration.span,
                   "map " + std::string(declaration.name) + " extends itself");
      return std::nullopt;
    }
    chain.push_back(at);
    const Resolution found = state.library.resolve(*at->file, extend->base, DeclKind::map);
    if (found.found == nullptr || found.parts != extend->base.parts.size()) {
      auto& diagnostic = state.report(ErrorCode::E0305, extend->base.span,
                                      "there is no map `" + extend->base.text() + "` to extend");
      std::vector<std::string> names;
      for (const auto& other : state.library.declarations()) {
        if (other->kind == DeclKind::map && other.get() != at) names.push_back(other->qualified());
      }
      suggest(diagnostic, extend->base.text(), {names.begin(), names.end()});
      return std::nullopt;
    }
    at = found.found;
  }
  extension.base_ = at;
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) extension.add_layer(**it);
  return extension;
}

void Extension::add_layer(const Declaration& declaration) {
  Layer layer;
  layer.declaration = &declaration;
  for (const ast::Edit& edit : declaration.decl->get_if<ast::ExtendDecl>()->edits) {
    Pending pending;
    pending.edit = &edit;
    if (edit.in) pending.handle = edit.in->text;
    const auto* assign = edit.stmt ? edit.stmt->get_if<ast::Assign>() : nullptr;
    if (edit.kind == Kind::remove) {
      pending.path = address_of(edit.target);
      if (edit.label) pending.label = edit.label->text;
    } else if (edit.kind == Kind::replace && assign != nullptr) {
      pending.path = address_of(assign->target);
      if (assign->label) pending.label = assign->label->text;
    }
    layer.edits.push_back(std::move(pending));
  }
  layers_.push_back(std::move(layer));
}

Extension::Verdict Extension::meet(const RuleName& name, base::Span stmt) {
  const std::string key = key_of(name);
  known_.push_back(key);
  Verdict verdict;
  base::Span source = stmt;
  std::string address = name.address;
  for (std::size_t i = floor; i < layers_.size(); ++i) {
    for (Pending& pending : layers_[i].edits) {
      const ast::Edit& edit = *pending.edit;
      if (edit.kind == Kind::add || (name.whole && edit.kind != Kind::remove)) continue;
      if (joined(pending.handle, pending.path) + (pending.label.empty() ? "" : "@" + pending.label) != key)
        continue;
      pending.met.push_back(stmt);
      pending.address = address;
      pending.text = normalised_source(state_->library.sources(), source);
      if (edit.kind == Kind::remove) {
        verdict = {Verdict::Kind::remove, nullptr, i};
        continue;
      }
      verdict = {Verdict::Kind::replace, edit.stmt.get(), i};
      source = edit.stmt->span;
      address = std::string(layers_[i].declaration->package) + ":" +
                std::string(layers_[i].declaration->name) + "/" + key;
    }
  }
  return verdict;
}

std::vector<Extension::Addition> Extension::additions(std::string_view handle) {
  handles_.emplace_back(handle);
  std::vector<Addition> found;
  for (std::size_t i = floor; i < layers_.size(); ++i) {
    for (Pending& pending : layers_[i].edits) {
      if (pending.edit->kind != Kind::add || pending.handle != handle) continue;
      pending.met.push_back(pending.edit->span);
      found.push_back({pending.edit->stmt.get(), i});
    }
  }
  return found;
}

bool Extension::overrides_policy(std::string_view handle, ast::OnEvent::Event event) const {
  for (std::size_t i = floor; i < layers_.size(); ++i) {
    for (const Pending& pending : layers_[i].edits) {
      if (pending.edit->kind != Kind::add || pending.handle != handle) continue;
      const auto* on = pending.edit->stmt->get_if<ast::OnEvent>();
      if (on != nullptr && on->event == event) return true;
    }
  }
  return false;
}

std::string Extension::written(const Pending& edit) const {
  return joined(edit.handle, edit.path) + (edit.label.empty() ? "" : "@" + edit.label);
}

void Extension::report_missing(const Layer& layer, const Pending& edit) {
  const std::string name(layer.declaration->name);
  const bool adds = edit.edit->kind == Kind::add;
  const bool knows_handle =
      edit.handle.empty() || std::find(handles_.begin(), handles_.end(), edit.handle) != handles_.end();
  if (adds || !knows_handle) {
    auto& diagnostic = state_->report(ErrorCode::E0701, edit.edit->in->span,
                                      name + " " + std::string(verb_of(edit.edit->kind)) + " " +
                                          (adds ? edit.handle : written(edit)) + "; the base map " +
                                          base_->qualified() + " has no handle `" + edit.handle + "`");
    suggest(diagnostic, edit.handle, {handles_.begin(), handles_.end()});
    return;
  }
  auto& diagnostic = state_->report(ErrorCode::E0701, edit.edit->span,
                                    name + " " + std::string(verb_of(edit.edit->kind)) + " " + written(edit) +
                                        "; the base map has no such rule");
  suggest(diagnostic, written(edit), {known_.begin(), known_.end()});
  const std::string unlabelled = joined(edit.handle, edit.path);
  std::vector<std::string> same;
  for (const std::string& known : known_) {
    if (known.substr(0, known.find('@')) == unlabelled) same.push_back(known);
  }
  if (!same.empty()) diagnostic.notes.push_back("rules of that path: " + listed(same));
}

void Extension::report_several(const Layer& layer, const Pending& edit) {
  auto& diagnostic =
      state_->report(ErrorCode::E0701, edit.edit->span,
                     std::string(layer.declaration->name) + " " + std::string(verb_of(edit.edit->kind)) +
                         " " + (edit.edit->kind == Kind::add ? edit.handle : written(edit)) +
                         "; the base map has " + std::to_string(edit.met.size()) + " of that address");
  if (edit.edit->kind == Kind::add) return;
  for (const base::Span span : edit.met)
    diagnostic.notes.push_back("at " + state_->library.sources().place(span));
  diagnostic.helps.push_back("a label in the base map tells them apart: `@name`");
}

void check_settings(CompilerState& state) {
  for (const ConstantSetting& setting : state.library.settings()) {
    const auto& decl = *setting.constant->decl->get_if<ast::ConstDecl>();
    const std::string name = setting.constant->qualified();
    const auto checked = [&](const LibraryFile& file, const ast::Expr& value) {
      return Body(state, file, name).check(value);
    };
    const Checked was = checked(*setting.constant->file, *decl.value);
    const Checked now = checked(*setting.file, *setting.set->value);
    const base::Span span = setting.set->value->span;
    if (!now.constant && !now.type.is_error())
      state.report(ErrorCode::E0501, span, "a constant cannot depend on the message");
    const bool empty = now.type.is_error() || was.type.is_error();
    const bool widened = was.type.is_primitive("decimal") && now.type.is_primitive("integer");
    const bool fits = empty || name_of(was.type) == name_of(now.type) || widened;
    if (!fits || was.type.list != now.type.list)
      state
          .report(ErrorCode::E0704, span,
                  "constant " + name + " is " + name_of(was.type) + ", this is " + name_of(now.type))
          .notes.push_back("declared at " + state.library.sources().place(setting.constant->span));
    if (setting.file->shipped || !setting.constant->file->shipped) continue;
    const std::string text = normalised_source(state.library.sources(), setting.constant->decl->span);
    state.overridden.push_back(
        {std::string(kLockedConstants),
         std::string(setting.constant->package) + ":" + std::string(setting.constant->name), text,
         base::sha256_hex(text), setting.set->base.span});
  }
}

void Extension::finish(std::vector<OverriddenRule>& overridden) {
  for (const Layer& layer : layers_) {
    for (const Pending& edit : layer.edits) {
      if (edit.met.empty()) {
        report_missing(layer, edit);
      } else if (edit.met.size() > 1) {
        report_several(layer, edit);
      } else if (edit.edit->kind != Kind::add && !layer.declaration->file->shipped) {
        const std::string map = layer.declaration->qualified();
        const bool recorded = std::any_of(
            overridden.begin(), overridden.end(),
            [&](const OverriddenRule& rule) { return rule.map == map && rule.rule == edit.address; });
        if (!recorded)
          overridden.push_back({map, edit.address, edit.text, base::sha256_hex(edit.text), edit.edit->span});
      }
    }
  }
}

}  // namespace kiln::mappings::detail

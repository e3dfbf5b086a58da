#pragma once
// The generated tables (fhir/definitions/generated/*.cpp). Private to fhir/definitions.

#include <cstddef>
#include <cstdint>

#include "fhir/definitions/definitions.h"

namespace kiln::fhir::detail {

extern const char kStrings[];

extern const std::size_t kTypeCount, kTypeSlotCount;
extern const TypeDef kTypes[];
extern const std::uint16_t kTypeSlots[];  ///< hash table of type row + 1; 0 = free

extern const std::size_t kElementCount, kElementTypeCount;
extern const ElementDef kElements[];
extern const ElementType kElementTypes[];
extern const std::uint16_t kTypeLists[];  ///< rows of type; slices of it are targets, bases, …

extern const std::size_t kMemberCount, kMemberSlotCount;
extern const MemberRow kMembers[];
extern const std::uint16_t kMemberSlots[];  ///< hash table of member row + 1; 0 = free

extern const std::size_t kInvariantCount;
extern const Invariant kInvariants[];
extern const std::uint16_t kInvariantLists[];

extern const std::size_t kValueSetCount, kCodeCount;
extern const ValueSet kValueSets[];  ///< sorted by url
extern const CodeDef kCodes[];
extern const Text kSystems[];

extern const std::size_t kSearchParameterCount;
extern const SearchParameter kSearchParameters[];  ///< sorted by url
extern const ComponentRow kComponents[];
extern const std::uint16_t kParameterLists[];

extern const std::size_t kCompartmentCount, kOperationCount;
extern const Compartment kCompartments[];
extern const CompartmentMember kCompartmentMembers[];
extern const Text kCompartmentParameters[];
extern const Operation kOperations[];

extern const DefinitionCounts kCounts;

}  // namespace kiln::fhir::detail

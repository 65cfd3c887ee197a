namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>One way in which a caller may prove who it is: all of these schemes together.</summary>
/// <param name="Schemes">By name, the scopes that are asked for; none: anybody may call.</param>
internal sealed record SecurityRequirement(IReadOnlyDictionary<string, IReadOnlyList<string>> Schemes)
{
    private static readonly SecurityRequirement Nothing = new(new Dictionary<string, IReadOnlyList<string>>());

    /// <summary>The alternatives of an operation: its own, otherwise the document's; without any, anybody may call.</summary>
    public static IReadOnlyList<SecurityRequirement> Of(ApiDocument document, DocumentOperation operation)
    {
        var alternatives = (operation.Node["security"] ?? document.Root["security"])?.Items()
            .Select(static alternative => new SecurityRequirement(alternative.Members().ToDictionary(
                static scheme => scheme.Name, static scheme => (IReadOnlyList<string>)[.. scheme.Node.Items().Select(static scope => scope.Value.ToString())], StringComparer.Ordinal)))
            .ToArray();
        return alternatives is null or [] ? [Nothing] : alternatives;
    }

    /// <summary>Whoever satisfies <paramref name="other"/> satisfies this as well.</summary>
    public bool IsSatisfiedBy(SecurityRequirement other) =>
        Schemes.All(scheme => other.Schemes.TryGetValue(scheme.Key, out var scopes) && scheme.Value.All(scopes.Contains));
}

using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting;

/// <summary>Which resources a value is made of.</summary>
internal static class Dependencies
{
    internal static IEnumerable<IResource> Of(object? value) => value switch
    {
        IResourceBuilder<IResource> builder => [builder.Resource],
        IResource resource => [resource],
        IValueWithReferences composed => composed.References.SelectMany(Of),
        _ => [],
    };
}

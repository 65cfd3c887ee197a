using System.Collections.ObjectModel;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A part of the application: a name and what is known about it (annotations).</summary>
public interface IResource
{
    string Name { get; }
    ResourceAnnotationCollection Annotations { get; }
}

/// <summary>One fact about a resource.</summary>
public interface IResourceAnnotation;

/// <summary>Base of all resources; the name is checked by <see cref="ModelName"/>.</summary>
[DebuggerDisplay("{GetType().Name,nq} {Name,nq}")]
public abstract class Resource : IResource
{
    protected Resource(string name)
    {
        ModelName.Validate("resource", name, nameof(name));
        Name = name;
    }

    public virtual string Name { get; }
    public virtual ResourceAnnotationCollection Annotations { get; } = [];
}

public enum ResourceAnnotationMutationBehavior
{
    Append,
    Replace,
}

public interface IResourceBuilder<out T> where T : IResource
{
    IDistributedApplicationBuilder ApplicationBuilder { get; }
    T Resource { get; }

    IResourceBuilder<T> WithAnnotation<TAnnotation>(ResourceAnnotationMutationBehavior behavior = ResourceAnnotationMutationBehavior.Append)
        where TAnnotation : IResourceAnnotation, new() => WithAnnotation(new TAnnotation(), behavior);

    IResourceBuilder<T> WithAnnotation<TAnnotation>(TAnnotation annotation, ResourceAnnotationMutationBehavior behavior = ResourceAnnotationMutationBehavior.Append)
        where TAnnotation : IResourceAnnotation;
}

public interface IResourceCollection : IList<IResource>
{
    bool TryGetByName(string name, [NotNullWhen(true)] out IResource? resource);
}

internal sealed class ResourceCollection(IEnumerable<IResource> resources) : Collection<IResource>([.. resources]), IResourceCollection
{
    public ResourceCollection() : this([]) { }

    public bool TryGetByName(string name, [NotNullWhen(true)] out IResource? resource)
    {
        resource = this.FirstOrDefault(r => string.Equals(r.Name, name, StringComparison.OrdinalIgnoreCase));
        return resource is not null;
    }
}

/// <summary>All resources of the application.</summary>
public class DistributedApplicationModel(IResourceCollection resources)
{
    public DistributedApplicationModel(IEnumerable<IResource> resources) : this(new ResourceCollection(resources)) { }

    public IResourceCollection Resources { get; } = resources;
}

/// <summary>The rule for resource and endpoint names: they become host names, environment variables and Kubernetes names.</summary>
internal static class ModelName
{
    internal const int MaxLength = 64;

    internal static void Validate(string kind, string name, string parameterName)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name, parameterName);
        var reason =
            name.Length > MaxLength ? $"it is longer than {MaxLength} characters"
            : !char.IsAsciiLetter(name[0]) ? "it must begin with an ASCII letter"
            : name.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '-') ? "it may hold ASCII letters, digits and hyphens only"
            : name.Contains("--", StringComparison.Ordinal) ? "it must not hold two hyphens in a row"
            : name[^1] == '-' ? "it must not end with a hyphen"
            : null;
        if (reason is not null)
        {
            throw new ArgumentException($"The {kind} name '{name}' is invalid: {reason}.", parameterName);
        }
    }
}

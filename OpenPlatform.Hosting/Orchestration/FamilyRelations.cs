using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>Who lives and ends with whom.</summary>
internal static class FamilyRelations
{
    /// <summary>The resource, then its children (and theirs) that have no process of their own and share its state: a database in its server.</summary>
    public static IEnumerable<IResource> WithDependentChildren(DistributedApplicationModel model, IResource resource) =>
        model.Resources.OfType<IResourceWithParent>()
            .Where(c => c.Parent == resource && !HasOwnLife(c))
            .SelectMany(c => WithDependentChildren(model, c))
            .Prepend(resource);

    public static bool HasOwnLife(IResource resource) => IsRun(resource) || resource is IResourceWithoutLifetime;

    /// <summary>True where something is started for it.</summary>
    public static bool IsRun(IResource resource) => resource is ProjectResource or ExecutableResource || resource.IsContainer();

    /// <summary>
    /// In which order to stop: each step's resources are needed by none of a later step. What stands in a circle shares the last step.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<IResource>> StopOrder(DistributedApplicationModel model)
    {
        var needs = model.Resources.ToDictionary(r => r, r => Needs(r).ToHashSet());
        var steps = new List<IReadOnlyList<IResource>>();
        while (needs.Count > 0)
        {
            var step = needs.Keys.Where(r => !needs.Any(n => n.Key != r && n.Value.Contains(r))).ToArray();
            steps.Add(step.Length > 0 ? step : [.. needs.Keys]);
            foreach (var resource in steps[^1])
            {
                needs.Remove(resource);
            }
        }

        return steps;
    }

    private static IEnumerable<IResource> Needs(IResource resource)
    {
        var direct = resource.Annotations.OfType<WaitAnnotation>().Select(w => w.Resource)
            .Concat(resource.Annotations.OfType<ResourceRelationshipAnnotation>().Select(r => r.Resource))
            .Concat(resource is IResourceWithParent child ? [child.Parent] : []);
        return direct;
    }
}

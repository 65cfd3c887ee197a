using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting;

/// <summary>Finds what cannot run before anything starts; all errors at once.</summary>
internal static class ModelValidation
{
    /// <exception cref="DistributedApplicationException">Lists every problem with the resource and the field it is in.</exception>
    internal static void Check(DistributedApplicationModel model)
    {
        var problems = model.Resources.SelectMany(Endpoints).Concat(Cycles(model)).ToArray();
        if (problems.Length > 0)
        {
            throw new DistributedApplicationException("The application cannot start:" + string.Concat(problems.Select(p => $"{Environment.NewLine}  - {p}")));
        }
    }

    private static IEnumerable<string> Endpoints(IResource resource)
    {
        var replicas = resource.GetReplicaCount();
        foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
        {
            var where = $"endpoint '{endpoint.Name}' of resource '{resource.Name}'";
            if (replicas > 1 && !endpoint.IsProxied)
            {
                yield return $"{where} has isProxied: false, but {replicas} replicas cannot share one port without a proxy.";
            }
            else if (replicas > 1 && endpoint.TargetPort is { } fixedPort && !resource.IsContainer())
            {
                yield return $"{where} has targetPort: {fixedPort}, but {replicas} replicas need a port each; leave targetPort out.";
            }
            else if (endpoint is { IsProxied: false, Port: { } port, TargetPort: { } target } && port != target && !resource.IsContainer())
            {
                yield return $"{where} has isProxied: false with port: {port} and targetPort: {target}; without a proxy both are the same.";
            }
            else if (endpoint is { IsProxied: true, Port: { } publicPort } && publicPort == endpoint.TargetPort && !resource.IsContainer())
            {
                yield return $"{where} has port and targetPort {publicPort}; the proxy needs the one and the process the other. Leave targetPort out, or set isProxied: false.";
            }
        }
    }

    private static IEnumerable<string> Cycles(DistributedApplicationModel model)
    {
        var done = new HashSet<IResource>();
        foreach (var start in model.Resources)
        {
            if (Find(start, []) is { } cycle)
            {
                yield return $"the resources wait for each other: {string.Join(" -> ", cycle.Select(r => r.Name))}.";
            }
        }

        IReadOnlyList<IResource>? Find(IResource resource, IReadOnlyList<IResource> path)
        {
            if (path.Contains(resource))
            {
                return [.. path.SkipWhile(r => r != resource), resource];
            }
            if (done.Contains(resource))
            {
                return null;
            }
            var cycle = resource.Annotations.OfType<WaitAnnotation>().Select(w => Find(w.Resource, [.. path, resource])).FirstOrDefault(c => c is not null);
            done.Add(resource);
            return cycle;
        }
    }
}

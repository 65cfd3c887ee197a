using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>Turns endpoints, fixed URLs and URL callbacks into the URLs that a resource shows.</summary>
internal static class ResourceUrls
{
    public static async Task PrepareAsync(OrchestrationContext run, IResource resource, CancellationToken ct)
    {
        var urls = new List<ResourceUrlAnnotation>();
        if (resource is IResourceWithEndpoints owner)
        {
            urls.AddRange(owner.GetEndpoints().Select(e => new ResourceUrlAnnotation { Url = e.Url, Endpoint = e }));
        }

        foreach (var given in resource.Annotations.OfType<ResourceUrlAnnotation>().ToArray())
        {
            urls.Add(given);
            resource.Annotations.Remove(given);
        }

        var context = new ResourceUrlsCallbackContext(run.Execution, resource, urls, ct) { Logger = run.Loggers.GetLogger(resource) };
        foreach (var callback in resource.Annotations.OfType<ResourceUrlsCallbackAnnotation>().ToArray())
        {
            await callback.Callback(context);
        }

        foreach (var url in urls)
        {
            // A callback may leave a path only: it belongs to the endpoint's address.
            if (url.Url.StartsWith('/') && url.Endpoint is { } endpoint)
            {
                url.Url = endpoint.Url.TrimEnd('/') + url.Url;
            }

            resource.Annotations.Add(url);
        }
    }
}

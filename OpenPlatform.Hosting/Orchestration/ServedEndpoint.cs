using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>One endpoint of a resource as DCP serves it.</summary>
/// <param name="ServiceName">The DCP Service whose stable address stands before the replicas; null where the process owns the public port itself.</param>
internal sealed record ServedEndpoint(EndpointAnnotation Annotation, string? ServiceName)
{
    /// <summary>The wanted public port, later the real one; 0 while unknown.</summary>
    public int PublicPort { get; set; }

    /// <summary>Stands in environment and arguments where each replica's own port belongs (Aspire has a DCP template of this form there).</summary>
    public string PortMarker => $"{{{{- portForServing \"{ServiceName}\" -}}}}";

    /// <summary>What the process listens on where the model fixed it: then only one replica is possible.</summary>
    public int? FixedTargetPort => ServiceName is null ? PublicPort : Annotation.TargetPort;

    public bool IsHttp => Annotation.UriScheme is "http" or "https";
}

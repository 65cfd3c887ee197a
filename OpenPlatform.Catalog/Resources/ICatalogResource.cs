namespace OpenPlatform.Catalog.Resources;

/// <summary>What every resource of the admin API has.</summary>
public interface ICatalogResource
{
    Guid Id { get; }

    /// <summary>Counts its changes from 1; sent as the strong <c>ETag</c>, never in the body.</summary>
    long Etag { get; }
}

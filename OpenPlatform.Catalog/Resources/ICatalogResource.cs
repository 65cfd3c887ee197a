namespace OpenPlatform.Catalog.Resources;

/// <summary>What every resource of the admin API has.</summary>
public interface ICatalogResource
{
    Guid Id { get; }

    /// <summary>Counts its changes from 1; sent as the strong <c>ETag</c>, never in the body.</summary>
    long Etag { get; }

    /// <summary>Whether it shows something that is no change and that the ETag does not tell of, such as the day of its last use: then nobody is told that he has it already.</summary>
    bool ShowsMoreThanEtag => false;
}
